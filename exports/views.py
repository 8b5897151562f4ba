"""What people do with their exports. Each is found through its owner: a stranger's does not exist."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from blog import rate_limits
from blog.http import AuthenticatedRequest
from blog.pagination import paginate

from . import jobs
from . import requests as asking
from .archive import build as archive
from .archive.kinds import KINDS, POSTS
from .models import Event, ExportTask
from .models.task import archive_storage
from .offers import offers


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def task_list(request: AuthenticatedRequest) -> HttpResponse:
    """ "Your exports"; POST asks for a new one."""
    if request.method == "POST":
        seconds = rate_limits.consume(request, "export")
        return rate_limits.too_many_requests(request, seconds) if seconds else _task_request(request)
    request.user.notifications.filter(name__startswith="export:").mark_read()
    page = paginate(request.user.export_tasks.prefetch_related("mails"), request.GET.get("before"))
    return render(request, "exports/task_list.html", {"page": page, "offers": offers(request.user)})


@login_required
@never_cache
@require_safe
def task_new(request: AuthenticatedRequest, kind: str) -> HttpResponse:
    """What is in an archive and what is not, before it is asked for."""
    offer = offers(request.user).get(kind)
    if offer is None:
        raise Http404
    return render(request, "exports/task_new.html", {"offer": offer})


def _task_request(request: AuthenticatedRequest) -> HttpResponse:
    kind = request.POST.get("kind", POSTS.name)
    if kind not in KINDS:
        raise Http404
    try:
        task, is_new = asking.ask(request.user, kind)
    except asking.Cooling as refusal:
        messages.info(request, refusal.words)
        return redirect(refusal.last)
    except asking.NoRoom as refusal:
        messages.error(request, refusal.words)
        return redirect("exports:task-list")
    if is_new:
        messages.success(
            request, _("Your archive is requested. You can go on; the e-mail comes by itself.")
        )
    else:
        messages.info(request, _("Your archive is under way already. Here is how far it is."))
    return redirect(task)


@require_POST
@login_required(redirect_field_name=None)  # coming back by GET would be a 405
def task_cancel(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    task = get_object_or_404(request.user.export_tasks, pk=pk)
    if task.cancel():
        jobs.withdraw(task.job_id)
        messages.success(request, _("Cancelled. You can ask again whenever you like."))
    else:
        messages.info(request, _("Too late to cancel: it has ended already."))
    return redirect(task)


@login_required
@never_cache
@require_safe
def task_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    task = get_object_or_404(request.user.export_tasks, pk=pk)
    request.user.notifications.filter(name=f"export:{task.pk}").mark_read()
    return render(
        request,
        "exports/task_detail.html",
        {
            "task": task,
            "events": task.events.all(),
            "offers": offers(request.user),
        },
    )


@login_required
@never_cache
@require_GET
def task_download(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """The archive, streamed; 404 once it has expired."""
    return download(get_object_or_404(request.user.export_tasks.downloadable(), pk=pk))


def download(task: ExportTask) -> HttpResponseBase:
    """The archive of a downloadable task; Http404 where its file is gone."""
    task.record(Event.DOWNLOADED)
    name, content_type = archive.download_name(task)
    if settings.EXPORT_ACCEL_PREFIX:
        return _accelerated(task, name, content_type)
    if settings.EXPORT_BUCKET:
        answer = {
            "ResponseContentDisposition": f'attachment; filename="{name}"',
            "ResponseContentType": content_type,
            "ResponseCacheControl": "private, no-store",
        }
        return redirect(archive_storage().url(task.archive.name, parameters=answer))  # type: ignore[call-arg]  # S3's
    try:
        file = task.archive.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)


def _accelerated(task: ExportTask, name: str, content_type: str) -> HttpResponse:
    """Leave the sending to nginx, which can also go on with a download that broke."""
    headers = {
        "X-Accel-Redirect": f"{settings.EXPORT_ACCEL_PREFIX.rstrip('/')}/{task.archive.name}",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return HttpResponse(headers=headers, content_type=content_type)
