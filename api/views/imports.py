from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Router
from ninja.responses import Status

from api.auth import enforce_rate_limit
from api.problems import ApiError
from api.schemas import Before, ImportOut, ImportPage, absolute_url, problem_responses
from blog.pagination import paginate
from imports import uploads
from imports.archives import ArchiveError, Problem
from imports.models import ImportTask
from microblog.http import AuthenticatedRequest

router = Router(tags=[gettext_noop("Imports")])

UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.get(
    "/imports/",
    summary=gettext_noop("Your imports, newest first"),
    response={200: ImportPage, **problem_responses(404)},
)
def import_list(request: AuthenticatedRequest, before: Before = None) -> ImportPage:
    return ImportPage.from_page(request, paginate(request.user.import_tasks.all(), before))


@router.post(
    "/imports/",
    summary=gettext_noop(
        "Upload an archive as the form field “file”; you confirm its preview on its page"
    ),
    response={201: ImportOut, **problem_responses(400, 403, 409, 413, 422, 503)},
    openapi_extra=UPLOAD_BODY,
)
def import_create(request: AuthenticatedRequest, response: HttpResponse) -> Status[ImportOut]:
    if uploads.is_too_large(request):
        raise ApiError(413, str(Problem.TOO_LARGE.label))
    enforce_rate_limit(request, "import")
    with uploads.upload_slot() as has_slot:
        if not has_slot:
            headers = {"Retry-After": str(uploads.RETRY_SECONDS)}
            raise ApiError(503, uploads.busy_message(), headers=headers)
        task = _create_task(request)
    response["Location"] = absolute_url(reverse("api-1:import_detail", args=[task.pk]))
    return Status(201, ImportOut.from_task(task))


def _create_task(request: AuthenticatedRequest) -> ImportTask:
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        raise ApiError(422, errors=[("file", _("Choose a file first."))])
    try:
        return uploads.create_task(request.user, file)
    except ArchiveError as error:
        raise ApiError(422, errors=[("file", str(error))]) from error
    except uploads.ImportRejected as error:
        raise ApiError(409, error.message) from error


@router.get(
    "/imports/{uuid:pk}/",
    summary=gettext_noop("How an import stands"),
    response={200: ImportOut, **problem_responses(404)},
)
def import_detail(request: AuthenticatedRequest, pk: UUID) -> ImportOut:
    return ImportOut.from_task(get_object_or_404(request.user.import_tasks, pk=pk))


@router.post(
    "/imports/{uuid:pk}/cancel/",
    summary=gettext_noop("Cancel an import or discard its preview; 409 if it has ended already"),
    response={200: ImportOut, **problem_responses(403, 404, 409)},
)
def import_cancel(request: AuthenticatedRequest, pk: UUID) -> ImportOut:
    task = get_object_or_404(request.user.import_tasks, pk=pk)
    if not uploads.cancel(task):
        raise ApiError(409, _("Too late to cancel: it has ended already."))
    return ImportOut.from_task(task)
