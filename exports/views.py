"""Pages of exports. Tasks are looked up through their owner, so others get a 404."""

from typing import Any
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
from blog.pagination import paginate
from microblog.http import AuthenticatedRequest
from tasks import broker

from .archive import build as archive
from .archive.kinds import KINDS, POSTS
from .models import Event, ExportTask
from .models.task import archive_storage
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
            request, _("Your archive is requested. You can go on; the e-mail comes by itself.")
        )
    else:
        messages.info(request, _("Your archive is under way already. Here is how far it is."))
    return redirect(task)


@require_POST
@login_required(redirect_field_name=None)  # returning here by GET would be a 405
def task_cancel(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    task = get_object_or_404(request.user.export_tasks, pk=pk)
    if task.cancel():
        broker.remove_job(task.job_id)
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
            "options": request_options(request.user),
        },
    )


@login_required
@never_cache
@require_GET
def task_download(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    return archive_response(get_object_or_404(request.user.export_tasks.downloadable(), pk=pk))


def archive_response(task: ExportTask) -> HttpResponseBase:
    """Record the download and return the file, or a redirect to the object store.

    Raise Http404 if the file is missing.
    """
    task.record_event(Event.DOWNLOADED)
    name, content_type = archive.download_name_and_type(task)
    if settings.EXPORT_ACCEL_PREFIX:
        return _accel_response(task, name, content_type)
    if settings.EXPORT_BUCKET:
        headers = {
            "ResponseContentDisposition": f'attachment; filename="{name}"',
            "ResponseContentType": content_type,
            "ResponseCacheControl": "private, no-store",
        }
        storage: Any = archive_storage()  # S3's, which takes parameters
        return redirect(storage.url(task.archive.name, parameters=headers))
    try:
        file = task.archive.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)


def _accel_response(task: ExportTask, name: str, content_type: str) -> HttpResponse:
    # nginx sends the file, and can resume interrupted downloads.
    headers = {
        "X-Accel-Redirect": f"{settings.EXPORT_ACCEL_PREFIX.rstrip('/')}/{task.archive.name}",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return HttpResponse(headers=headers, content_type=content_type)
