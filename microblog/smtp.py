"""SMTP as RFC 5321 wants it: patient after DATA, and aware of the size that a server accepts."""

import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoEmailBackend

# RFC 5321 4.5.3.2.6. A server that answers late has usually accepted the message, so that giving
# up earlier delivers it again.
DATA_TIMEOUT_SECONDS = 600

_is_hurried = ContextVar("is_hurried", default=False)


@contextmanager
def hurried() -> Iterator[None]:
    """Wait after DATA no longer than for other answers: a web request cannot take minutes."""
    token = _is_hurried.set(True)
    try:
        yield
    finally:
        _is_hurried.reset(token)


class _PatientSMTP(smtplib.SMTP):
    def mail(self, sender: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        """Refuse a message that is larger than the server announced, before sending it."""
        limit = self.esmtp_features.get("size", "")
        sizes = [int(option[5:]) for option in options if option.lower().startswith("size=")]
        if limit.isdecimal() and any(size > int(limit) > 0 for size in sizes):
            return 552, b"5.3.4 The message is larger than the server announced"
        return super().mail(sender, options)

    def data(self, msg: Any) -> tuple[int, bytes]:
        if self.sock is not None and not _is_hurried.get():
            self.sock.settimeout(DATA_TIMEOUT_SECONDS)
        try:
            return super().data(msg)
        finally:
            if self.sock is not None:
                self.sock.settimeout(self.timeout)


class _PatientSMTPOverTLS(smtplib.SMTP_SSL):
    mail = _PatientSMTP.mail
    data = _PatientSMTP.data


class EmailBackend(DjangoEmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _PatientSMTPOverTLS if self.use_ssl else _PatientSMTP

    def _close_connection(self, connection: smtplib.SMTP) -> None:
        """Say QUIT. The server has answered for the message, so an error here is no failure."""
        with suppress(OSError):  # smtplib's exceptions are OSErrors, too
            super()._close_connection(connection)  # type: ignore[misc]  # stubs lack it
