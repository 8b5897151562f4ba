"""How log lines look, what they never hold, and when an error is mailed to ADMINS."""

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

# What opens an account, a session or a service to whoever reads it: all but the words before it is replaced.
SECRETS = re.compile(
    r"""(/password/reset/key/|/confirm-email/ |\bBearer\s | \bBasic\s
        |\b(?:sessionid|csrftoken|csrfmiddlewaretoken|messages)["']?\s?[=:]\s?["']?
        |\b(?:password|passwd|secret|token|api_key|code)=
        |://[^/\s:@"']*:(?=[^/\s@"']+@))
        [^\s/"'&;,@?<>\\]+""",
    re.IGNORECASE | re.VERBOSE,
)
EXTRAS = ("method", "route", "status", "milliseconds")


def redact(text: str) -> str:
    """`text` without links that open accounts, tokens, passwords and session ids."""
    return SECRETS.sub(r"\1***", text)


class RequestIdFilter(Filter):
    """Gives each record the id that its thread works under, as `request_id`."""

    def filter(self, record: LogRecord) -> bool:
        record.request_id = request_ids.current() or "-"
        return True


class PlainFormatter(Formatter):
    """Lines for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s")

    def format(self, record: LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(Formatter):
    """One JSON object a line; tracebacks are in it, under `exception`."""

    def format(self, record: LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "request_id": getattr(record, "request_id", "-"),
            "pid": record.process,
        }
        line |= {name: getattr(record, name) for name in EXTRAS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class AccessLogMiddleware:
    """One line a request, with its route instead of its path: paths can hold what opens an account."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        response = self.get_response(request)
        took = round(1000 * (time.monotonic() - began))
        route = f"/{request.resolver_match.route}" if request.resolver_match else "-"
        facts = {
            "method": request.method,
            "route": route,
            "status": response.status_code,
            "milliseconds": took,
        }
        access_logger.info(
            "%(method)s %(route)s %(status)d in %(milliseconds)d ms", facts, extra=facts
        )
        return response


class AdminMailHandler(AdminEmailHandler):
    """Mails errors to ADMINS: the same one at most once in ADMIN_MAIL_PAUSE seconds, ADMIN_MAIL_HOURLY in an hour.

    It is counted in the cache, by all processes together; while that is away, every error is mailed. The mail holds
    the line and its traceback: no form, no cookie, no local variable.
    """

    def emit(self, record: LogRecord) -> None:
        if not settings.ADMINS or not is_due(record):
            return
        try:
            first_line, _, _ = redact(record.getMessage()).partition("\n")
            self.send_mail(
                self.format_subject(f"{record.levelname}: {first_line}"), self.format(record)
            )
        except Exception:
            self.handleError(record)


def is_due(record: LogRecord) -> bool:
    """Whether this error may be mailed now, after those that were mailed before."""
    if not cache.add(f"admin-mail:{fingerprint(record)}", True, settings.ADMIN_MAIL_PAUSE):
        return False
    hour = f"admin-mails:{int(time.time() // 3600)}"
    cache.add(hour, 0, 3600)
    try:
        return bool(cache.incr(hour) <= settings.ADMIN_MAIL_HOURLY)
    except ValueError:  # evicted in this very moment
        return True


def fingerprint(record: LogRecord) -> str:
    """The same for errors that have one cause: where an exception was raised or, without one, the words of the line
    before anything was put into them."""
    parts = [record.name, str(record.msg)]
    if record.exc_info and record.exc_info[0]:
        where = extract_tb(record.exc_info[2])[-1:]
        parts = [
            record.exc_info[0].__qualname__,
            *(f"{frame.filename}:{frame.lineno}" for frame in where),
        ]
    return sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:32]
