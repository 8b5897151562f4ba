"""The functions that RQ runs, and how they are enqueued.

A job may run twice or be lost: claiming the row makes that harmless.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from traceback import format_exc
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import Error as DatabaseError
from django.db import connections, transaction
from django.utils import translation
from rq.timeouts import JobTimeoutException

from microblog import smtp

from . import broker
from .heartbeat import Heartbeat, LeaseLost
from .mail_failures import MAIL_SERVER_ERRORS, MailFailure, classify
from .models import (
    CoreError,
    Mail,
    NotNeeded,
    Status,
    Task,
    TaskFailed,
    Undeliverable,
    mail_models,
    task_models,
)

logger = logging.getLogger(__name__)

# Errors of the database, disk, network or object store, which may be gone at the next attempt.
TRANSIENT_ERRORS = (DatabaseError, OSError, BotoCoreError, ClientError)

Row = TypeVar("Row", Task, Mail)

REGISTERED: dict[str, Callable[..., None]] = {}
"""Functions that a worker may run, by dotted name."""

_preloaders: list[Callable[[], None]] = []


def register_job(function: Callable[..., None]) -> Callable[..., None]:
    REGISTERED[f"{function.__module__}.{function.__qualname__}"] = function
    return function


def register_preloader(preloader: Callable[[], None]) -> None:
    """Call `preloader` once in each worker, before its first fork."""
    _preloaders.append(preloader)


def preload() -> None:
    """Load what all jobs need, once before the forks of work horses."""
    with suppress(DatabaseError):
        for preloader in _preloaders:
            preloader()
    connections.close_all()  # no process may inherit a connection


# Enqueueing


def enqueue_task(task: Task, *, at_front: bool = False) -> bool:
    """Enqueue the current attempt; False, logged, if the broker is down. Call it after commit."""
    return broker.enqueue(
        task.job_id, run_task, task._meta.label, str(task.pk), task.attempt, at_front=at_front
    )


def enqueue_mail(mail: Mail) -> bool:
    """Enqueue a mail before all tasks; False, logged, if the broker is down. Call after commit."""
    return broker.enqueue(
        mail.job_id, send_mail, mail._meta.label, str(mail.pk), mail.tries, at_front=True
    )


def enqueue_or_send(mail: Mail) -> None:
    """Enqueue a mail, or send it at once if the broker is down. Call it after commit."""
    if not enqueue_mail(mail):
        with smtp.hurried():
            send_mail(mail._meta.label, str(mail.pk), mail.tries)


def enqueue_next(task: Task) -> bool:
    """Enqueue the next job after a crash or failure: a new attempt, or the mail about the end.

    False if the broker is down.
    """
    if task.status == Status.READY:
        return enqueue_task(task, at_front=True)
    mail = task.pending_mail
    return mail is None or enqueue_mail(mail)


# Tasks


@register_job
def run_task(label: str, task_id: str, attempt: int) -> None:
    """Run one attempt of a task, unless the row has moved on."""
    task = _find_task(label, pk=task_id, attempt=attempt)
    if task is None or not task.claim():
        logger.info("Task %s, attempt %d: nothing to do.", task_id, attempt)
        return
    try:
        with (
            Heartbeat(
                task.renew,
                job_id=broker.current_job_id(),
                rows_total=task.rows_total,
                exit_if_stuck=True,
            ) as heartbeat,
            translation.override(task.owner_language),
        ):
            result = task.perform(heartbeat)
        mail = _finish(task, result)
    except LeaseLost:
        logger.warning("Task %s, attempt %d: stopped, the lease was lost.", task_id, attempt)
        return
    except TaskFailed as error:
        _fail(task, error.code, "", is_expected=error.is_expected)
        return
    except TRANSIENT_ERRORS:
        _retry_later(task)
        raise
    except Exception as error:
        is_timeout = isinstance(error, JobTimeoutException)
        _fail(task, CoreError.TIMEOUT if is_timeout else CoreError.ERROR, format_exc())
        raise
    if mail is not None:
        deliver(mail)


def _finish(task: Task, result: dict[str, Any]) -> Mail | None:
    """End a task whose work is done; return its mail, claimed. Discard the result of a zombie."""
    with transaction.atomic():  # one commit for the end of the task and the claim of its mail
        has_finished = task.finish(**result)
        mail = task.pending_mail if has_finished else None
        if mail is not None:
            mail.claim()  # always succeeds, because only this transaction sees the mail
    if not has_finished:
        task.discard_result(**result)
    return mail


def _fail(task: Task, code: str, traceback: str, *, is_expected: bool = False) -> None:
    if task.fail(code, traceback):
        level = logging.INFO if is_expected else logging.ERROR
        logger.log(level, "Task %s failed (%s).\n%s", task.pk, code, traceback)
        enqueue_next(task)


def _retry_later(task: Task) -> None:
    """Start the next attempt after a pause that grows with each crash.

    If the database itself is down, the lease expires and the sweeper rescues the task.
    """
    with suppress(DatabaseError):
        if task.crash(format_exc(), retry_after=settings.EXPORT_TICK_SECONDS * 5**task.crashes):
            log_crash(task)
            if task.status == Status.FAILED:
                enqueue_next(task)


def log_crash(task: Task) -> None:
    """Log a crash; at ERROR, which mails ADMINS, once the task has failed.

    Never call it inside a transaction: sending that mail takes long.
    """
    if task.status == Status.FAILED:
        logger.error("Task %s failed after %d crashes.\n%s", task.pk, task.crashes, task.traceback)
    else:
        logger.warning("Task %s: crash %d; it will be tried again.", task.pk, task.crashes)


# Mails


@register_job
def send_mail(label: str, mail_id: str, tries: int) -> None:
    """Send a mail, unless this try has been made already."""
    mail = _find_mail(label, pk=mail_id, tries=tries)
    if mail is not None and mail.claim():
        deliver(mail)


def deliver(mail: Mail) -> None:
    """Send a claimed mail and record the outcome; the sweeper retries transient failures."""
    failure: Exception | None = None
    with Heartbeat(lambda _rows: mail.renew()):
        message = _compose(mail)
        if message is None:
            return
        try:
            message.send()
        except Exception as error:
            failure = error
    if failure is None:
        mail.mark_sent(_provider_id(message))
    else:
        _record_failure(mail, failure)


def _compose(mail: Mail) -> EmailMultiAlternatives | None:
    """Return the message; None if there is none to send, after recording why."""
    try:
        return mail.compose()
    except NotNeeded:
        mail.delete()
    except Undeliverable as error:
        logger.warning("Mail %s is given up: %s", mail.pk, error)
        mail.give_up(str(error))
    except TRANSIENT_ERRORS as error:
        logger.warning("Mail %s, try %d, was not composed: %r", mail.pk, mail.tries, error)
        mail.retry_later(repr(error))
    except Exception as error:
        logger.exception("Mail %s could not be composed and is given up.", mail.pk)
        mail.give_up(repr(error))
    return None


def _record_failure(mail: Mail, error: Exception) -> None:
    if not isinstance(error, MAIL_SERVER_ERRORS):
        logger.error("Mail %s could not be sent and is given up.", mail.pk, exc_info=error)
        mail.give_up(repr(error))
        return
    logger.warning("Mail %s, try %d, was not sent: %r", mail.pk, mail.tries, error)
    failure = classify(error)
    if failure is MailFailure.TOO_LARGE and mail.drop_attachment():
        mail.retry_now(repr(error))
    elif failure is MailFailure.TRANSIENT:
        mail.retry_later(repr(error))
    else:
        mail.give_up(repr(error))


def _provider_id(message: EmailMultiAlternatives) -> str:
    """Return the provider's id of a sent message; empty with SMTP."""
    status = getattr(message, "anymail_status", None)
    return "" if status is None or status.message_id is None else str(status.message_id)


# Killed processes


def work_horse_killed(function: str, args: list[Any]) -> None:
    """Start the next attempt of a killed job's work at once, without waiting for its lease."""
    if REGISTERED.get(function) is run_task:
        _task_killed(*args)
    elif REGISTERED.get(function) is send_mail:
        label, mail_id, tries = args
        mail = _find_mail(label, pk=mail_id, tries=tries + 1)
        if mail is not None:
            _sender_killed(mail)


def _task_killed(label: str, task_id: str, attempt: int) -> None:
    task = _find_task(label, pk=task_id, attempt=attempt)
    if task is None:
        return
    if task.crash("The process that did the work was killed."):
        log_crash(task)
        enqueue_next(task)
    elif (mail := task.pending_mail) and mail.tries == 1:
        # The process that finished the task also makes the first try of its mail.
        _sender_killed(mail)


def _sender_killed(mail: Mail) -> None:
    if mail.retry_now("The process that sent the mail was killed."):
        enqueue_mail(mail)


def _find_task(label: str, **lookup: Any) -> Task | None:
    tasks = _model(label, task_models())._default_manager.select_related("owner")
    return tasks.filter(**lookup).first()


def _find_mail(label: str, **lookup: Any) -> Mail | None:
    return _model(label, mail_models())._default_manager.filter(**lookup).first()


def _model(label: str, models: Iterable[type[Row]]) -> type[Row]:
    """Return the model of that label among `models`. LookupError if it is none of them."""
    for model in models:
        if model._meta.label == label:
            return model
    raise LookupError(label)
