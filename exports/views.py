"""What people do with their exports. Each is found through its owner: a stranger's does not exist."""

import logging
from functools import partial
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from blog.http import PersonRequest
from blog.paging import paginate
from blog.templatetags.blog import exact

from . import archive, jobs
from .kinds import POSTS
from .models import Event, ExportTask
from .models.task import archive_storage
from .offers import offers

logger = logging.getLogger(__name__)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def task_list(request: PersonRequest) -> HttpResponse:
    """ "Your exports"; POST asks for a new one."""
    if request.method == "POST":
        return _task_request(request)
    request.user.notifications.filter(name__startswith="export:").mark_read()
    page = paginate(request.user.export_tasks.prefetch_related("mails"), request.GET.get("before"))
    return render(request, "exports/task_list.html", {"page": page, "offers": offers(request.user)})


@login_required
@never_cache
@require_safe
def task_new(request: PersonRequest, kind: str) -> HttpResponse:
    """What is in an archive and what is not, before it is asked for."""
    offer = offers(request.user).get(kind)
    if offer is None:
        raise Http404
    return render(request, "exports/task_new.html", {"offer": offer})


def _task_request(request: PersonRequest) -> HttpResponse:
    offer = offers(request.user).get(request.POST.get("kind", POSTS.name))
    if offer is None:
        raise Http404
    if offer.cooling:
        words = _("Your last archive is quite new. You can ask for another at %(moment)s.")
        messages.info(request, words % {"moment": exact(offer.cooling.next_request_at)})
        return redirect(offer.cooling)
    if not archive.has_room():
        logger.error("An export was refused: less than EXPORT_MIN_FREE bytes are free.")
        messages.error(request, _("We are short of disk space and cannot build archives now. Please try again later."))
        return redirect("exports:task-list")
    rows, language = offer.kind.count(request.user), get_language() or ""
    with transaction.atomic():
        task, is_new = ExportTask.objects.request(request.user.pk, offer.kind.name, language, rows)
        if is_new:
            # The request stands once it is committed; a broker that is away is the sweeper's to make good.
            transaction.on_commit(partial(jobs.enqueue_export, task), robust=True)
    if is_new:
        messages.success(request, _("Your archive is requested. You can go on; the e-mail comes by itself."))
    else:
        messages.info(request, _("Your archive is under way already. Here is how far it is."))
    return redirect(task)


@require_POST
@login_required(redirect_field_name=None)  # coming back by GET would be a 405
def task_cancel(request: PersonRequest, pk: UUID) -> HttpResponse:
    task = get_object_or_404(request.user.export_tasks, pk=pk)
    if task.cancel():
        jobs.withdraw(task)
        messages.success(request, _("Cancelled. You can ask again whenever you like."))
    else:
        messages.info(request, _("Too late to cancel: it has ended already."))
    return redirect(task)


@login_required
@never_cache
@require_safe
def task_detail(request: PersonRequest, pk: UUID) -> HttpResponse:
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
def task_download(request: PersonRequest, pk: UUID) -> HttpResponseBase:
    """The archive, streamed; 404 once it has expired."""
    task = get_object_or_404(request.user.export_tasks.downloadable(), pk=pk)
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
