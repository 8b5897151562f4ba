import math
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from ninja import Router
from ninja.responses import Status

from api.auth import enforce_rate_limit
from api.problems import ApiError
from api.schemas import Before, ExportIn, ExportOut, ExportPage, absolute_url, problem_responses
from blog.pagination import paginate
from exports import requests
from exports.archive.kinds import KINDS
from exports.models import ExportTask
from exports.views import archive_response
from microblog.http import AuthenticatedRequest
from tasks import broker

router = Router(tags=[gettext_noop("Exports")])


@router.get(
    "/exports/",
    summary=gettext_noop("Your exports, newest first"),
    response={200: ExportPage, **problem_responses(404)},
)
def export_list(request: AuthenticatedRequest, before: Before = None) -> ExportPage:
    return ExportPage.from_page(
        request, paginate(request.user.export_tasks.prefetch_related("mails"), before)
    )


@router.post(
    "/exports/",
    summary=gettext_noop(
        "Ask for an archive, or for the one of that kind that is under way already"
    ),
    response={200: ExportOut, 201: ExportOut, **problem_responses(400, 403, 422, 503)},
)
def export_create(
    request: AuthenticatedRequest, data: ExportIn, response: HttpResponse
) -> Status[ExportOut]:
    if data.kind not in KINDS:
        raise ApiError(422, errors=[("kind", _("There is no such kind of archive."))])
    enforce_rate_limit(request, "export")
    try:
        task, is_new = requests.request_export(request.user, data.kind)
    except requests.CooldownActive as error:
        seconds = math.ceil((error.last_task.next_request_at - timezone.now()).total_seconds())
        raise ApiError(429, error.message, headers={"Retry-After": str(max(1, seconds))}) from error
    except requests.DiskFull as error:
        raise ApiError(503, error.message) from error
    response["Location"] = absolute_url(reverse("api-1:export_detail", args=[task.pk]))
    return Status(201 if is_new else 200, _export_out(task))


@router.get(
    "/exports/{uuid:pk}/",
    summary=gettext_noop("How an export stands"),
    response={200: ExportOut, **problem_responses(404)},
)
def export_detail(request: AuthenticatedRequest, pk: UUID) -> ExportOut:
    return _export_out(get_object_or_404(request.user.export_tasks, pk=pk))


@router.post(
    "/exports/{uuid:pk}/cancel/",
    summary=gettext_noop("Cancel an export; 409 if it has ended already"),
    response={200: ExportOut, **problem_responses(403, 404, 409)},
)
def export_cancel(request: AuthenticatedRequest, pk: UUID) -> ExportOut:
    task = get_object_or_404(request.user.export_tasks, pk=pk)
    if not task.cancel():
        raise ApiError(409, _("Too late to cancel: it has ended already."))
    broker.remove_job(task.job_id)
    return _export_out(task)


@router.get(
    "/exports/{uuid:pk}/download/",
    summary=gettext_noop("The archive itself, as long as it is kept"),
    response={200: None, **problem_responses(404)},
    openapi_extra={
        "responses": {
            200: {
                "content": {"application/json": {"schema": {}}, "application/zip": {"schema": {}}}
            },
            302: {"description": gettext_noop("To the object store, where archives lie in one")},
        }
    },
)
def export_download(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    return archive_response(get_object_or_404(request.user.export_tasks.downloadable(), pk=pk))


def _export_out(task: ExportTask) -> ExportOut:
    # The last payload sent also has the queue position.
    return ExportOut.from_task(task, task.last_payload() if task.is_unfinished else task.payload())
