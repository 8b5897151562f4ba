"""Pages of exports. Tasks are looked up through their owner, so others get a 404."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from blog import rate_limits
from blog.pagination import paginate
from microblog import transfers
from microblog.http import AuthenticatedRequest
from microblog.transfers import TooManyTransfers
from tasks import broker
from tasks.models import last_events

from .archive.kinds import KINDS, POSTS
from .archive.stored import ArchiveDamaged
from .downloads import archive_response
from .requests import CooldownActive, DiskFull, request_export, request_options


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def task_list(request: AuthenticatedRequest) -> HttpResponse:
    if request.method == "POST":
        seconds = rate_limits.consume(request, "export")
        return rate_limits.too_many_requests(request, seconds) if seconds else _create_task(request)
    request.user.notifications.filter(name__startswith="export:").mark_read()
    page = paginate(request.user.export_tasks.prefetch_related("mails"), request.GET.get("before"))
    return render(
        request,
        "exports/task_list.html",
        {"page": page, "options": request_options(request.user)},
    )


@login_required
@never_cache
@require_safe
def task_new(request: AuthenticatedRequest, kind: str) -> HttpResponse:
    option = request_options(request.user).get(kind)
    if option is None:
        raise Http404
    return render(request, "exports/task_new.html", {"option": option})


def _create_task(request: AuthenticatedRequest) -> HttpResponse:
    kind = request.POST.get("kind", POSTS.name)
    if kind not in KINDS:
        raise Http404
    try:
        task, is_new = request_export(request.user, kind)
    except CooldownActive as rejection:
        messages.info(request, rejection.message)
        return redirect(rejection.last_task)
    except DiskFull as rejection:
        messages.error(request, rejection.message)
        return redirect("exports:task-list")
    if is_new:
        messages.success(
            request,
            _("Export requested. You can leave this page; we'll email you when it's ready."),
        )
    else:
        messages.info(request, _("An export is already in progress. Here's its status."))
    return redirect(task)


@require_POST
@login_required(redirect_field_name=None)  # returning here by GET would be a 405
def task_cancel(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    task = get_object_or_404(request.user.export_tasks, pk=pk)
    if task.cancel():
        broker.remove_job(task.job_id)
        messages.success(request, _("Export cancelled. You can request another at any time."))
    else:
        messages.info(request, _("Too late to cancel: this export has already ended."))
    return redirect(task)


@login_required
@never_cache
@require_safe
def task_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    task = get_object_or_404(request.user.export_tasks, pk=pk)
    request.user.notifications.filter(name=task.notification_name).mark_read()
    return render(
        request,
        "exports/task_detail.html",
        {
            "task": task,
            "events": last_events(task),
            "options": request_options(request.user),
        },
    )


@login_required
@never_cache
@require_safe
def task_download(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    task = get_object_or_404(request.user.export_tasks.downloadable(), pk=pk)
    try:
        return archive_response(request, task)
    except ArchiveDamaged:
        return redirect(task)  # the page says what has happened, and offers a new export
    except TooManyTransfers:
        context = {"message": transfers.busy_message()}
        response = render(request, "busy.html", context, status=503)
        return rate_limits.with_retry_after(response, transfers.RETRY_SECONDS)
