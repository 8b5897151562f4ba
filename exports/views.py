"""What people do with their exports. Each is found through its owner: a stranger's does not exist."""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from blog.http import PersonRequest
from blog.paging import paginate

from . import jobs
from .kinds import KINDS
from .models import Event, ExportTask


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def task_list(request: PersonRequest) -> HttpResponse:
    """ "Your exports"; POST asks for a new one."""
    if request.method == "POST":
        return _task_request(request)
    request.user.notifications.filter(name__startswith="export:").mark_read()
    page = paginate(request.user.export_tasks.all(), request.GET.get("before"))
    under_way = request.user.export_tasks.unfinished().first()
    return render(request, "exports/task_list.html", {"page": page, "under_way": under_way})


def _task_request(request: PersonRequest) -> HttpResponse:
    with transaction.atomic():
        task, is_new = ExportTask.objects.request(request.user.pk, language=get_language() or "")
        if is_new:
            # The request stands once it is committed; a broker that is away is the sweeper's to make good.
            transaction.on_commit(partial(jobs.enqueue_export, task), robust=True)
    if is_new:
        messages.success(request, _("Your archive is requested. You can go on; the e-mail comes by itself."))
    else:
        messages.info(request, _("Your archive is under way already. Here is how far it is."))
    return redirect(task)


@login_required
@never_cache
@require_GET
def task_detail(request: PersonRequest, pk: UUID) -> HttpResponse:
    task = get_object_or_404(request.user.export_tasks, pk=pk)
    request.user.notifications.filter(name=f"export:{task.pk}").mark_read()
    return render(request, "exports/task_detail.html", {"task": task, "events": task.events.all()})


@login_required
@never_cache
@require_GET
def task_download(request: PersonRequest, pk: UUID) -> FileResponse:
    """The archive, streamed; 404 once it has expired."""
    task = get_object_or_404(request.user.export_tasks.downloadable(), pk=pk)
    try:
        file = task.archive.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    task.record(Event.DOWNLOADED)
    kind = KINDS[task.kind]
    return FileResponse(file, as_attachment=True, filename=kind.file_name, content_type=kind.content_type)
