"""What the fault injection changes inside the product's processes; only `dev.chaos.settings` brings it in.

They tell the suite through files under VAR_DIR/chaos: which process holds which row (`holders/<pid>`), and each write
that changed a row although its fencing token had moved on (`zombies/`).
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

from blog.models import User
from exports import jobs
from exports.archive.kinds import KINDS
from exports.models import ExportMail, ExportTask, mail, task_queryset

Chunks = Callable[[User, int], Generator[tuple[int, bytes]]]

FOLDER = Path(settings.VAR_DIR) / "chaos"
POISON = "poison"  # how the names of accounts begin whose build kills its process
POISONED_CHUNK = 2

TASK_VERBS = ("renew", "record_traceback", "finish", "fail", "crash", "rescue", "requeue")
MAIL_VERBS = ("renew", "mark_sent", "give_up", "retry_later", "defer")


def install() -> None:
    mail.MAX_BACKOFF_SECONDS = round(2 * settings.EXPORT_LEASE_SECONDS)
    sabotage(os.environ.get("CHAOS_WITHOUT", ""))
    for model, token, verbs in (
        (ExportTask, "attempt", TASK_VERBS),
        (ExportMail, "tries", MAIL_VERBS),
    ):
        note_claims(model, token)
        for verb in verbs:
            note_zombies(model, token, verb)
    poison_builds()
    if os.environ.get("CHAOS_PROCESS") == "site":
        die_before_enqueue()


def sabotage(without: str) -> None:
    """Take one of the product's protections away, to see that the suite notices."""
    if without == "lease":
        for rows in (task_queryset.ExportTaskQuerySet, mail.ExportMailQuerySet):
            rows.lease_expired = lambda self: self.none()  # type: ignore[method-assign]
    if without == "fence":
        for model in (ExportTask, ExportMail):
            model._fenced = _held_by_anyone  # type: ignore[method-assign]


def _held_by_anyone(self: Any, status: str) -> Any:
    return type(self).objects.filter(pk=self.pk, status=status)


def note_claims(model: Any, token: str) -> None:
    """Tell the suite whom to hit: which process builds or mails what."""
    claim = model.claim

    @wraps(claim)
    def noted(self: Any) -> bool:
        claimed: bool = claim(self)
        if claimed:
            state = {"state": self.status, "id": str(self.pk), "token": getattr(self, token)}
            _write(FOLDER / "holders" / str(os.getpid()), state)
        return claimed

    model.claim = noted


def note_zombies(model: Any, token: str, verb: str) -> None:
    """Tell the suite of every write that counted although the row had been handed to somebody else."""
    original = getattr(model, verb)

    @wraps(original)
    def watched(self: Any, *args: Any, **kwargs: Any) -> bool:
        mine = getattr(self, token)
        with transaction.atomic():
            now = _locked(self).values_list(token, flat=True).first()
            changed: bool = original(self, *args, **kwargs)
        if changed and now != mine:
            facts = {"row": str(self.pk), "verb": verb, "written by": mine, "belongs to": now}
            _write(FOLDER / "zombies" / f"{time.time_ns()}-{os.getpid()}", facts)
        return changed

    setattr(model, verb, watched)


def _locked(row: Model) -> Any:
    return type(row)._default_manager.select_for_update().filter(pk=row.pk)


def poison_builds() -> None:
    """Let the builds of some accounts kill their process, and all of them fail while the disk is said to be full."""
    for name, kind in KINDS.items():
        KINDS[name] = replace(kind, iter_chunks=partial(_poisoned, kind.iter_chunks))


def _poisoned(chunks: Chunks, owner: User, rows: int) -> Generator[tuple[int, bytes]]:
    for number, chunk in enumerate(chunks(owner, rows)):
        if owner.username.startswith(POISON) and number == POISONED_CHUNK:
            os.kill(os.getpid(), signal.SIGKILL)
        if (FOLDER / "disk-full").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield chunk


def die_before_enqueue() -> None:
    """Kill the site, all of it, between the commit of a request and its way to the queue, once the suite says so."""
    original: Callable[..., bool] = jobs.enqueue_export
    asked, hit = FOLDER / "die-before-enqueue", FOLDER / "died-before-enqueue"

    @wraps(original)
    def enqueue(task: ExportTask, **kwargs: Any) -> bool:
        with suppress(FileNotFoundError):
            asked.unlink()
            _write(hit, str(task.pk))
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(task, **kwargs)

    jobs.enqueue_export = enqueue


def _write(path: Path, facts: Any) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts))
    part.replace(path)
