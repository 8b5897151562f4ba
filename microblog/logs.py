"""Formats of log lines, redaction of secrets, access log, and mails about errors to ADMINS."""

import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from logging import Filter, Formatter, LogRecord
from traceback import extract_tb
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils.log import AdminEmailHandler

from . import request_ids

access_logger = logging.getLogger("microblog.access")

# Values that give access to an account, a session or a service. Only the group is kept.
SECRETS = re.compile(
    r"""(/password/reset/key/|/confirm-email/ |\bBearer\s | \bBasic\s
        |\b(?:sessionid|csrftoken|csrfmiddlewaretoken|messages)(?:_\d+)?["']?\s?[=:]\s?["']?
        |\b(?:password|passwd|secret|token|api_key|code)=
        |://[^/\s:@"']*:(?=[^/\s@"']+@))
        [^\s/"'&;,@?<>\\]+""",
    re.IGNORECASE | re.VERBOSE,
)
EXTRA_FIELDS = ("method", "route", "status", "milliseconds")


def redact(text: str) -> str:
    return SECRETS.sub(r"\1***", text)


class RequestIdFilter(Filter):
    """Request id of each record, as `request_id`."""

    def filter(self, record: LogRecord) -> bool:
        record.request_id = request_ids.current() or "-"
        return True


class PlainFormatter(Formatter):
    """Human-readable lines."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s")

    def format(self, record: LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(Formatter):
    """JSON lines: one object for each record, with the traceback under `exception`."""

    def format(self, record: LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "request_id": getattr(record, "request_id", "-"),
            "pid": record.process,
        }
        line |= {name: getattr(record, name) for name in EXTRA_FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class AccessLogMiddleware:
    """Access log with routes instead of paths, because paths may hold secrets."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        response = self.get_response(request)
        fields = {
            "method": request.method,
            "route": f"/{request.resolver_match.route}" if request.resolver_match else "-",
            "status": response.status_code,
            "milliseconds": round(1000 * (time.monotonic() - started)),
        }
        access_logger.info(
            "%(method)s %(route)s %(status)d in %(milliseconds)d ms", fields, extra=fields
        )
        return response


class AdminMailHandler(AdminEmailHandler):
    """Mails about errors to ADMINS, without form data, cookies and local variables.

    The same error is mailed once in ADMIN_MAIL_PAUSE seconds, and ADMIN_MAIL_HOURLY errors an hour
    in all. The cache counts for all processes; while it is unavailable, every error is mailed.
    """

    def emit(self, record: LogRecord) -> None:
        if not settings.ADMINS or not is_due(record):
            return
        try:
            first_line, _, _ = redact(record.getMessage()).partition("\n")
            subject = self.format_subject(f"{record.levelname}: {first_line}")
            self.send_mail(subject, self.format(record))
        except Exception:
            self.handleError(record)


def is_due(record: LogRecord) -> bool:
    """Count this error, and return whether the limits allow a mail about it."""
    if not cache.add(f"admin-mail:{fingerprint(record)}", True, settings.ADMIN_MAIL_PAUSE):
        return False
    hour = f"admin-mails:{int(time.time() // 3600)}"
    cache.add(hour, 0, 3600)
    try:
        return bool(cache.incr(hour) <= settings.ADMIN_MAIL_HOURLY)
    except ValueError:  # evicted between the two calls
        return True


def fingerprint(record: LogRecord) -> str:
    """Return a hash that is equal for errors with the same cause.

    The cause is the line that raised the exception or, without one, the unformatted message.
    """
    parts = [record.name, str(record.msg)]
    if record.exc_info and record.exc_info[0]:
        last_frame = extract_tb(record.exc_info[2])[-1:]
        parts = [
            record.exc_info[0].__qualname__,
            *(f"{frame.filename}:{frame.lineno}" for frame in last_frame),
        ]
    return sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:32]
