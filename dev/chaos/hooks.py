"""Changes to the product's own processes, installed by `dev.chaos.settings` only.

The hooks report to the suite through files under VAR_DIR/chaos: `claims/<pid>` holds the row that a
process has claimed, and `zombies/` has a file for each write that changed a row although its
fencing token had moved on.
"""

import errno
import json
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model
from rq.job import Job as RQJob

from blog.accounts import deletion
from blog.models import User
from exports.archive.kinds import KINDS
from exports.archive.output import Output
from tasks import jobs, worker
from tasks.models import (
    Mail,
    MailQuerySet,
    Task,
    TaskQuerySet,
    mail,
    mail_models,
    task_models,
)

Write = Callable[[User, Output, int], Generator[int]]

HOOK_DIR = Path(settings.VAR_DIR) / "chaos"
POISON_PREFIX = "poison"  # of the usernames whose builds kill their process
POISONED_CHUNK = 2

TASK_VERBS = ("renew", "finish", "fail", "crash", "rescue", "requeue", "release")
MAIL_VERBS = ("renew", "mark_sent", "give_up", "retry_later", "defer")


def install() -> None:
    mail.MAX_PAUSE_SECONDS = round(2 * settings.EXPORT_LEASE_SECONDS)
    disable_protection(os.environ.get("CHAOS_WITHOUT", ""))
    for models, token, verbs in (
        (task_models(), "attempt", TASK_VERBS),
        (mail_models(), "tries", MAIL_VERBS),
    ):
        for model in models:
            report_claims(model, token)
            for verb in verbs:
                report_zombie_writes(model, token, getattr(model, verb))
    poison_builds()
    slow_down_deletions()
    if os.environ.get("CHAOS_PROCESS") == "site":
        kill_before_enqueue()


def disable_protection(name: str) -> None:
    """Disable one of the product's protections, to prove that the suite notices."""
    if name == "lease":
        for queryset in (TaskQuerySet, MailQuerySet):
            queryset.lease_expired = _no_rows  # type: ignore[method-assign]
    if name == "fence":
        for model in (Task, Mail):
            model._fenced = _without_fencing  # type: ignore[method-assign]
    if name == "guard":
        worker.Job._foreign_reason = _not_foreign  # type: ignore[method-assign]
        worker.Job.func = RQJob.func  # type: ignore[method-assign]


def _no_rows(self: Any) -> Any:
    return self.none()


def _not_foreign(self: worker.Job, fields: dict[str, bytes]) -> str:
    return ""


def _without_fencing(self: Any, status: str) -> Any:
    return type(self).objects.filter(pk=self.pk, status=status)


def report_claims(model: Any, token: str) -> None:
    """Tell the suite which process builds or mails which row."""
    claim = model.claim

    @wraps(claim)
    def reported_claim(self: Any) -> bool:
        claimed: bool = claim(self)
        if claimed:
            fields = {"state": self.status, "id": str(self.pk), "token": getattr(self, token)}
            _write_json(HOOK_DIR / "claims" / str(os.getpid()), fields)
        return claimed

    model.claim = reported_claim


def report_zombie_writes(model: Any, token: str, verb: Callable[..., object]) -> None:
    """Tell the suite about each write that succeeds with an outdated fencing token."""

    @wraps(verb)
    def reported_verb(self: Any, *args: Any, **kwargs: Any) -> object:
        own_token = getattr(self, token)
        with transaction.atomic():
            current_token = _locked(self).values_list(token, flat=True).first()
            changed = verb(self, *args, **kwargs)
        if changed and current_token != own_token:
            fields = {
                "row": str(self.pk),
                "verb": verb.__name__,
                "token of the writer": own_token,
                "token of the row": current_token,
            }
            _write_json(HOOK_DIR / "zombies" / f"{time.time_ns()}-{os.getpid()}", fields)
        return changed

    setattr(model, verb.__name__, reported_verb)


def _locked(row: Model) -> Any:
    return type(row)._default_manager.select_for_update().filter(pk=row.pk)


def poison_builds() -> None:
    """Make builds of poison accounts kill their process, and all builds fail on a full disk."""
    for name, kind in KINDS.items():
        KINDS[name] = replace(kind, write=partial(_poisoned_write, kind.write))


def _poisoned_write(write: Write, owner: User, out: Output, rows: int) -> Generator[int]:
    for number, added in enumerate(write(owner, out, rows)):
        if owner.username.startswith(POISON_PREFIX) and number == POISONED_CHUNK:
            os.kill(os.getpid(), signal.SIGKILL)
        if (HOOK_DIR / "disk-full").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield added


def slow_down_deletions() -> None:
    """Give the faults one to two seconds of each account deletion to hit."""
    deletion.BATCH_SIZE = 30
    deletion.PAUSE_SECONDS = 0.1


def kill_before_enqueue() -> None:
    """Make the site kill itself between a commit and its enqueue when the suite asks for it.

    The suite creates `kill-before-enqueue`; `killed-before-enqueue` then holds the task's id.
    """
    original: Callable[..., bool] = jobs.enqueue_task
    trigger, killed = HOOK_DIR / "kill-before-enqueue", HOOK_DIR / "killed-before-enqueue"

    @wraps(original)
    def enqueue(task: Task, **kwargs: Any) -> bool:
        with suppress(FileNotFoundError):
            trigger.unlink()
            _write_json(killed, str(task.pk))
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(task, **kwargs)

    jobs.enqueue_task = enqueue


def _write_json(path: Path, content: Any) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(path)
