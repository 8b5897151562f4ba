"""The SMTP backend against real servers that behave in unusual ways."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from smtplib import SMTPSenderRefused, SMTPServerDisconnected

import pytest
from aiosmtpd.smtp import SMTP
from django.core.mail import EmailMessage

from microblog import smtp


class Handler:
    """Takes messages after a pause, and may drop the connection at QUIT."""

    def __init__(self, pause=0.0, quit_hangs=False):
        self.pause = pause
        self.quit_hangs = quit_hangs
        self.messages = []

    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(self.pause)
        self.messages.append(envelope.content)
        return "250 Accepted"

    async def handle_QUIT(self, server, session, envelope):  # noqa: N802  # aiosmtpd's name
        if self.quit_hangs:
            await asyncio.sleep(60)
        return "221 Bye"


@contextmanager
def serving(handler, **options) -> Iterator[int]:
    """Run the server in a thread; yield its port."""
    loop = asyncio.new_event_loop()

    def factory():
        return SMTP(handler, hostname="localhost", loop=loop, **options)

    # The loop runs only in its own thread: that of the tests may have the loop of Playwright.
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def close() -> None:
        server.close()
        for pending in asyncio.all_tasks() - {asyncio.current_task()}:
            pending.cancel()

    try:
        starting = loop.create_server(factory, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(starting, loop).result(timeout=10)
        yield server.sockets[0].getsockname()[1]
        asyncio.run_coroutine_threadsafe(close(), loop).result(timeout=10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def send(port, body="Hello", timeout=0.5):
    backend = smtp.EmailBackend(
        host="127.0.0.1", port=port, username="", password="", use_tls=False, timeout=timeout
    )
    message = EmailMessage("Subject", body, "a@microblog.example", ["b@microblog.example"])
    return backend.send_messages([message])


def test_slow_answer_after_data_is_awaited():
    handler = Handler(pause=1.0)
    with serving(handler) as port:
        assert send(port) == 1
    assert len(handler.messages) == 1


def test_answer_after_data_has_a_limit(monkeypatch):
    monkeypatch.setattr(smtp, "DATA_TIMEOUT_SECONDS", 0.2)
    with serving(Handler(pause=5)) as port, pytest.raises((TimeoutError, SMTPServerDisconnected)):
        send(port)


def test_hurried_sender_gives_up_after_short_timeout():
    timed_out = pytest.raises((TimeoutError, SMTPServerDisconnected))
    with serving(Handler(pause=5)) as port, smtp.hurried(), timed_out:
        send(port)


def test_other_answers_keep_the_short_timeout():
    class SlowGreeting(Handler):
        async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
            await asyncio.sleep(5)
            return "250 OK"

    with serving(SlowGreeting()) as port, pytest.raises((TimeoutError, SMTPServerDisconnected)):
        send(port)


def test_accepted_message_counts_although_quit_hangs():
    handler = Handler(quit_hangs=True)
    with serving(handler) as port:
        assert send(port) == 1
    assert len(handler.messages) == 1


def test_message_above_announced_size_is_not_sent():
    handler = Handler()
    with serving(handler, data_size_limit=1000) as port:
        with pytest.raises(SMTPSenderRefused) as caught:
            send(port, body="x\n" * 1000)
        assert send(port) == 1
    assert caught.value.smtp_code == 552
    assert len(handler.messages) == 1
