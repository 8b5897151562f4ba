"""Downloads of archives, from this machine or from the object store."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from microblog.downloads import file_response

from .archive import build as archive
from .archive.stored import ArchiveDamaged, check_file
from .damage import report_damage
from .models import ExportTask
from .models.task import archive_storage


def archive_response(request: HttpRequest, task: ExportTask) -> HttpResponseBase:
    """Return the file or the range of it that is asked for, or a redirect to the object store.

    Record the download once: not for HEAD, nor when one is resumed. Raise ArchiveDamaged, after
    reporting it, if the file is missing or incomplete, and TooManyTransfers if the site itself
    would have to send it and is sending many already.
    """
    try:
        check_file(task)
    except ArchiveDamaged as damage:
        report_damage(task, damage)
        raise
    response = _response_with_file(request, task)
    if request.method == "GET" and _starts_at_beginning(request):
        task.record_download()
    return response


def _response_with_file(request: HttpRequest, task: ExportTask) -> HttpResponseBase:
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
    return file_response(
        request,
        task.archive.open("rb"),
        filename=name,
        content_type=content_type,
        etag=f'"{task.archive_sha256}"',
    )


def _starts_at_beginning(request: HttpRequest) -> bool:
    return request.headers.get("Range", "bytes=0-").startswith("bytes=0-")


def _accel_response(task: ExportTask, name: str, content_type: str) -> HttpResponse:
    # nginx sends the file, and can resume interrupted downloads.
    headers = {
        "X-Accel-Redirect": f"{settings.EXPORT_ACCEL_PREFIX.rstrip('/')}/{task.archive.name}",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return HttpResponse(headers=headers, content_type=content_type)
