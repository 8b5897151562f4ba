"""Pages of imports. Tasks are looked up through their owner, so others get a 404."""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
)

from blog import rate_limits
from blog.models import Post
from blog.pagination import paginate
from microblog.http import AuthenticatedRequest
from tasks import jobs

from .archives import ArchiveError, Problem
from .forms import ConfirmForm
from .models import ImportTask
from .progress import render_progress
from .readers import Reason
from .uploads import (
    RETRY_SECONDS,
    ImportRejected,
    busy_message,
    cancel,
    create_task,
    is_too_large,
    upload_slot,
)

MAX_KEPT_SHOWN = 100


@csrf_exempt
@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def task_list(request: AuthenticatedRequest) -> HttpResponse:
    """Check size and free slots before the body is read, which the check of the CSRF token does."""
    if is_too_large(request):
        return _render_list(request, error=str(Problem.TOO_LARGE.label), status=413)
    if request.method != "POST":
        return _task_list(request)
    with upload_slot() as has_slot:
        if not has_slot:
            response = _render_list(request, error=busy_message(), status=503)
            return rate_limits.with_retry_after(response, RETRY_SECONDS)
        return _task_list(request)


@csrf_protect
def _task_list(request: AuthenticatedRequest) -> HttpResponse:
    if request.method != "POST":
        return _render_list(request)
    if seconds := rate_limits.consume(request, "import"):
        return rate_limits.too_many_requests(request, seconds)
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        return _render_list(request, error=_("Choose a file first."), status=422)
    try:
        task = create_task(request.user, file)
    except ArchiveError as error:
        return _render_list(request, error=str(error), status=422)
    except ImportRejected as error:
        return _render_list(request, error=error.message, status=409)
    messages.success(
        request, _("Your archive is uploaded. Nothing is imported before you confirm.")
    )
    return redirect(task)


def _render_list(
    request: AuthenticatedRequest, *, error: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "page": paginate(request.user.import_tasks.all(), request.GET.get("before")),
        "in_progress": request.user.import_tasks.in_progress().first(),
        "error": error,
        "max_bytes": settings.IMPORT_MAX_BYTES,
    }
    return render(request, "imports/task_list.html", context, status=status)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def task_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Show an import; a POST confirms its preview."""
    task = get_object_or_404(request.user.import_tasks.select_related("owner"), pk=pk)
    if request.method != "POST":
        request.user.notifications.filter(name=f"import:{task.pk}").mark_read()
        return _render_detail(request, task, ConfirmForm(task=task))
    form = ConfirmForm(request.POST, task=task)
    if task.is_previewed and not form.is_valid():
        return _render_detail(request, task, form, status=422)
    with transaction.atomic():
        is_confirmed = task.is_previewed and form.save()
        if is_confirmed:
            transaction.on_commit(partial(jobs.enqueue_task, task), robust=True)
    if not is_confirmed:
        messages.info(request, _("This preview is over."))
    return redirect(task)


def _render_detail(
    request: AuthenticatedRequest, task: ImportTask, form: ConfirmForm, status: int = 200
) -> HttpResponse:
    payload = task.last_payload() if task.is_unfinished else task.payload()
    excluded = task.preview.get("excluded", {})
    context = {
        "task": task,
        "form": form,
        "bar": render_progress(payload),
        "events": task.events.all(),
        "excluded": [(Reason(code).label, count) for code, count in excluded.items()],
        "samples": [_sample(task, row) for row in task.preview.get("samples", [])],
        "remaining": task.posts.count(),
        "kept": task.posts.newest_first()[:MAX_KEPT_SHOWN] if task.is_undone else [],
        "max_posts": settings.IMPORT_MAX_POSTS,
    }
    return render(request, "imports/task_detail.html", context, status=status)


def _sample(task: ImportTask, row: dict[str, str]) -> Post:
    return Post(
        author=task.owner,
        body=row["body"],
        created_at=datetime.fromisoformat(row["timestamp"]),
        source=task.source,
        source_url=row["source_url"],
    )


@require_POST
@login_required(redirect_field_name=None)  # returning here by GET would be a 405
def task_cancel(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Cancel what is under way, or discard a preview."""
    task = get_object_or_404(request.user.import_tasks, pk=pk)
    if cancel(task):
        messages.success(request, _("Cancelled. The archive that you uploaded is deleted."))
    else:
        messages.info(request, _("Too late to cancel: it has ended already."))
    return redirect(task)


@require_POST
@login_required(redirect_field_name=None)  # returning here by GET would be a 405
def task_undo(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    task = get_object_or_404(request.user.import_tasks, pk=pk)
    try:
        with transaction.atomic():
            is_new = task.undo()
            if is_new:
                transaction.on_commit(partial(jobs.enqueue_task, task), robust=True)
    except IntegrityError:  # the database allows one import in progress
        messages.error(request, _("Another import is in progress. End it first."))
        return redirect(task)
    if not is_new:
        messages.info(request, _("This import can no longer be undone."))
    return redirect(task)


@login_required
@never_cache
@require_GET
def task_report(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    task = get_object_or_404(request.user.import_tasks.exclude(report=""), pk=pk)
    try:
        file = task.report.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(
        file, as_attachment=True, filename="left-out.csv", content_type="text/csv; charset=utf-8"
    )
