"""Comparison of the accepted requests, the database, and the mails that the server accepted."""

import hashlib
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management.base import OutputWrapper
from django.db.models import Count

from blog.formatting import isoformat_utc
from blog.management.progress_bar import ProgressBar
from blog.models import AccountDeletion, AccountMail, Conversation, Message, User
from dev.mailbox import Mail, Mailbox
from exports.archive.kinds import KINDS as ARCHIVES
from exports.archive.verification import Verification
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from tasks.models import MAX_CRASHES, Task, mail_models
from tasks.models import Mail as TaskMail

from .accounts import LoadGenerator
from .faults import FAULT_KINDS
from .harness import Claim, Harness
from .smtp import REJECTION
from .watcher import Watcher

WORKER_KILLS = (
    "kill_work_horse",
    "kill_worker",
    "kill_worker_and_work_horse",
    "terminate_worker_group",
)
# A worker that loses its broker exits, and its service's processes are killed.
INFRASTRUCTURE_FAULTS = (
    "empty_broker",
    "stop_broker",
    "freeze_broker",
    "disrupt_database",
    "restart_database",
    "make_database_read_only",
    "serialize_transactions",
)


@dataclass(frozen=True)
class Injection:
    """Fault that happened, with the claims that it hit; times are seconds since 1970."""

    kind: str
    started: float
    ended: float
    hits: list[Claim]

    def overlaps(self, start: float, end: float) -> bool:
        return self.started <= end and start <= self.ended


@dataclass
class Verdict:
    """Outcome of every request; the lists of `violations` must be empty."""

    requests: int = 0
    account_requests: int = 0
    deletions: int = 0
    delivered: list[str] = field(default_factory=list)
    gave_up: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unexplained_mails: list[str] = field(default_factory=list)
    wrong_archives: list[str] = field(default_factory=list)
    zombie_writes: list[str] = field(default_factory=list)
    leftover_files: list[str] = field(default_factory=list)
    leftover_rows: list[str] = field(default_factory=list)
    broken_promises: list[str] = field(default_factory=list)

    @property
    def violations(self) -> dict[str, list[str]]:
        """Lists that must be empty, by title."""
        return {
            "lost": self.lost,
            "stuck": self.stuck,
            "unexplained mails": self.unexplained_mails,
            "wrong or incomplete archives": self.wrong_archives,
            "zombie writes": self.zombie_writes,
            "leftover files": self.leftover_files,
            "leftover rows": self.leftover_rows,
            "broken promises of the queue": self.broken_promises,
        }


class Oracle:
    def __init__(
        self,
        harness: Harness,
        load: LoadGenerator,
        injections: list[Injection],
        watcher: Watcher,
    ) -> None:
        self.harness = harness
        self.load = load
        self.injections = injections
        self.watcher = watcher
        self.lease = harness.lease
        self.mail_log = {str(line["file"]): line for line in harness.mail_log()}
        self.received: dict[str, list[Mail]] = defaultdict(list)
        for mail in Mailbox(harness.mail_dir).mails(""):
            self.received[_row_id(mail)].append(mail)

    def judge(self, only: Iterable[str] | None = None) -> Verdict:
        """Judge all deletions, and all exports or those with the ids in `only`."""
        ids = None if only is None else set(only)
        verdict = Verdict()
        tasks = list(ExportTask.objects.select_related("owner").order_by("created_at"))
        verdict.requests = len(tasks)
        verdict.account_requests = sum(task.kind == "account" for task in tasks)
        kept = {pk for pk, owner in self.load.accepted.items() if owner not in self.load.deleted}
        missing = kept - {str(task.pk) for task in tasks}
        verdict.lost += [f"{pk}: accepted, but not in the database" for pk in missing]
        for task in tasks:
            if ids is None or str(task.pk) in ids:
                if task.owner_id not in self.load.deleted:
                    self._judge_task(task, verdict)
                verdict.zombie_writes += self._timeline_violations(task)
        verdict.stuck += [
            f"{stuck.row}: {stuck.state}, no progress for {stuck.seconds:.1f} s"
            for stuck in self.watcher.stuck.values()
        ]
        verdict.zombie_writes += [
            path.read_text() for path in sorted((self.harness.hook_dir / "zombies").iterdir())
        ]
        self._judge_deletions(verdict)
        known = {
            str(pk) for model in mail_models() for pk in model.objects.values_list("pk", flat=True)
        }
        verdict.unexplained_mails += [
            f"{name}: no such mail in the database"
            for name in self.received.keys() - known
            if not self._is_to_deleted_account(name)
        ]
        verdict.leftover_files += self._leftover_files()
        verdict.broken_promises += self.harness.broken_promises
        verdict.broken_promises += [
            f"a foreign job ran: {path.name}" for path in self.harness.hook_dir.glob("ran-*")
        ]
        return verdict

    def _judge_task(self, task: ExportTask, verdict: Verdict) -> None:
        if task.is_unfinished:
            verdict.stuck.append(f"{task.pk}: still {task.status}")
            return
        purpose = {Status.SUCCESSFUL: Purpose.ARCHIVE, Status.FAILED: Purpose.FAILURE}.get(
            Status(task.status)
        )
        mails = list(task.mails.all())
        purposes = [mail.purpose for mail in mails]
        if purpose is None or purposes != [purpose]:
            verdict.lost.append(f"{task.pk}: {task.status} with mails {purposes}")
            return
        [mail] = mails
        self._judge_mail(task, mail, verdict)
        if task.status == Status.FAILED:
            cause = self._failure_cause(task, verdict)
            verdict.failed.append(f"{task.pk} of {task.owner.username}: {cause}")

    def _judge_mail(self, task: ExportTask, mail: ExportMail, verdict: Verdict) -> None:
        copies = self._judge_sending(str(task.pk), mail, verdict)
        problems = [
            f"{task.pk}: {copy.path.name} {problem}"
            for copy in copies
            if (problem := self._mail_problem(task, copy))
        ]
        verdict.wrong_archives += problems
        if copies and not problems and mail.purpose == Purpose.ARCHIVE:
            verdict.delivered.append(str(task.pk))

    def _judge_sending(self, name: str, mail: TaskMail, verdict: Verdict) -> list[Mail]:
        """Judge the end and the duplicates of any mail; return its received copies."""
        copies = sorted(self.received.get(str(mail.pk), []), key=lambda copy: copy.path.name)
        if mail.status == MailStatus.GAVE_UP and REJECTION[4:] in mail.error:
            verdict.gave_up.append(f"{name}: {mail.error}")
        elif mail.status != MailStatus.SENT:
            verdict.stuck.append(f"{name}: its mail is {mail.status} {mail.error}")
        elif not copies:
            verdict.lost.append(f"{name}: its mail is SENT, but the server never accepted it")
        if len({str(copy.message["message-id"]) for copy in copies}) > 1:
            verdict.unexplained_mails.append(f"{mail.pk} was sent with several Message-IDs")
        for copy in copies[:-1]:
            if cause := self._duplicate_cause(mail, copy):
                verdict.duplicates.append(f"{mail.pk} {cause}")
            else:
                verdict.unexplained_mails.append(f"{mail.pk} was sent again without a known cause")
        return copies

    def _judge_deletions(self, verdict: Verdict) -> None:
        """Judge that each accepted deletion ended exactly once, left no rows and sent one mail."""
        tasks = list(AccountDeletion.objects.order_by("created_at"))
        verdict.deletions = len(tasks)
        if len(tasks) != len(self.load.deleted):
            verdict.lost.append(f"{len(tasks)} deletions of {len(self.load.deleted)} accounts")
        for task in tasks:
            if task.is_unfinished:
                verdict.stuck.append(f"deletion {task.pk}: still {task.status}")
            elif task.status == Status.FAILED:
                verdict.failed.append(f"deletion {task.pk}: {self._failure_cause(task, verdict)}")
            elif task.status != Status.SUCCESSFUL:
                verdict.lost.append(f"deletion {task.pk}: {task.status}")
            verdict.zombie_writes += self._timeline_violations(task)
        kept = {task.owner_id for task in tasks if task.status != Status.SUCCESSFUL}
        for user_id, address in self.load.deleted.items():
            if user_id not in kept:
                verdict.leftover_rows += find_leftover_rows(user_id, address)
                self._judge_farewell(address, verdict)
        lonely = Conversation.objects.annotate(count=Count("participants")).filter(count__lt=2)
        verdict.leftover_rows += [f"conversation {row.pk} without its two users" for row in lonely]

    def _judge_farewell(self, address: str, verdict: Verdict) -> None:
        mails = list(AccountMail.objects.filter(to=address))
        if len(mails) != 1:
            verdict.lost.append(f"{address}: {len(mails)} mails about the deletion")
        for mail in mails:
            copies = self._judge_sending(address, mail, verdict)
            verdict.unexplained_mails += [
                f"{mail.pk} went to {copy.message['to']} instead of {address}"
                for copy in copies
                if address not in str(copy.message["to"])
            ]

    def _is_to_deleted_account(self, name: str) -> bool:
        """Return whether these mails announced an export that was deleted with its account."""
        return all(
            any(address in str(copy.message["to"]) for address in self.load.deleted.values())
            for copy in self.received[name]
        )

    def _mail_problem(self, task: ExportTask, copy: Mail) -> str:
        """Return the problem of a received mail, or an empty string."""
        if task.owner.email not in str(copy.message["to"]):
            return "has the wrong recipient"
        part = copy.attachment(ARCHIVES[task.kind].file_name)
        if task.status == Status.FAILED:
            return "has an archive of a failed export" if part else ""
        if part is None:
            return "has no archive"
        content = part.get_content()
        if hashlib.sha256(content).hexdigest() != task.archive_sha256:
            return "has a checksum that differs from the database"
        return ARCHIVE_CHECKS[task.kind](content, task.owner)

    def _failure_cause(self, task: Task, verdict: Verdict) -> str:
        """Return the cause of a failed task.

        Only the maximum number of crashes is legitimate, since every fault is repaired.
        """
        if task.error_code == ErrorCode.CRASHED and task.crashes == MAX_CRASHES:
            last_line = task.traceback.strip().splitlines()[-1:] or ["killed"]
            return f"{task.crashes} crashes ({last_line[0][:100]})"
        verdict.lost.append(
            f"{task.pk}: failed as {task.error_code} after {task.crashes} crashes\n{task.traceback}"
        )
        return task.error_code

    def _duplicate_cause(self, mail: TaskMail, copy: Mail) -> str:
        """Return the fault that explains why a received mail was sent again, or an empty string."""
        line = self.mail_log.get(copy.path.name)
        if line is None:
            return ""
        if line["mode"] == "swallow":
            return f"accepted without an answer: {FAULT_KINDS['smtp_swallows'].title}"
        at = float(str(line["at"]))
        nearby = [one for one in self.injections if one.overlaps(at - 1, at + self.lease)]

        def is_hit(injection: Injection, row_id: Any) -> bool:
            return any(claim.id == str(row_id) for claim in injection.hits)

        for injection in nearby:
            if injection.kind != "orphan_work_horse" and is_hit(injection, mail.pk):
                return f"accepted, then its sender was hit: {FAULT_KINDS[injection.kind].title}"
        for injection in nearby:
            is_kill = injection.kind in WORKER_KILLS
            if is_kill and isinstance(mail, ExportMail) and is_hit(injection, mail.task_id):
                title = FAULT_KINDS[injection.kind].title
                return f"accepted, then its sender was hit right after the build: {title}"
        for injection in nearby:
            if injection.kind in INFRASTRUCTURE_FAULTS:
                title = FAULT_KINDS[injection.kind].title
                return f"accepted, then its sender lost the broker or database: {title}"
        return ""

    def _timeline_violations(self, task: ExportTask | AccountDeletion) -> Iterator[str]:
        """Yield what only a zombie can have written to the timeline or the archive."""
        events: list[Any] = list(task.events.order_by("pk").values_list("kind", "attempt"))
        attempts = [attempt for _, attempt in events]
        if attempts != sorted(attempts):
            yield f"{task.pk}: an older attempt after a newer one: {events}"
        ended = [attempt for kind, attempt in events if kind == Event.FINISHED]
        expected = [task.attempt] if task.status == Status.SUCCESSFUL else []
        if ended != expected:
            yield f"{task.pk}: finished by attempts {ended}; {task.status} with {task.attempt}"
        if not isinstance(task, ExportTask):
            return
        if task.archive.name and Path(task.archive.name).stem != task.job_id:
            yield f"{task.pk}: {task.archive.name} is not from attempt {task.attempt}"

    def _leftover_files(self) -> Iterator[str]:
        """Yield files without an export, and archives without a file, after a round of pruning."""
        disk = self.harness.disk_dir
        yield from (f"part file {path.name}" for path in (disk / "parts").iterdir())
        known = set(ExportTask.objects.exclude(archive="").values_list("archive", flat=True))
        found = {f"{path.parent.name}/{path.name}" for path in (disk / "archives").glob("*/*")}
        yield from (f"archive {name} without an export" for name in found - known)
        yield from (f"archive {name} has no file" for name in known - found)


def find_leftover_rows(user_id: int, address: str) -> Iterator[str]:
    """Yield what a deleted account has left; the database's own constraints are not trusted."""
    if User.objects.filter(pk=user_id).exists():
        yield f"{address}: the user"
    for relation in User._meta.related_objects:
        model: Any = relation.related_model
        if count := model._default_manager.filter(**{relation.field.attname: user_id}).count():
            yield f"{address}: {count} rows of {model._meta.label}.{relation.field.name}"


def _posts_problem(content: bytes, owner: User) -> str:
    expected = [
        {"body": post.body, "timestamp": isoformat_utc(post.created_at)}
        for post in owner.posts.oldest_first()
    ]
    found = [
        {key: post[key] for key in ("body", "timestamp")} for post in json.loads(content)["posts"]
    ]
    return "" if found == expected else "has posts that differ from the database"


def _account_problem(content: bytes, owner: User) -> str:
    bar = ProgressBar(OutputWrapper(io.StringIO()), "rows")
    if problem := next(Verification(content, bar).problems(), ""):
        return f"is not valid: {problem}"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    found = [
        (message["from"], message["body"], message["timestamp"])
        for conversation in json.loads(files["messages.json"])["messages"]
        for message in conversation["messages"]
    ]
    messages = Message.objects.filter(conversation__participants__person=owner)
    expected = [
        (message.sender.username, message.body, isoformat_utc(message.created_at))
        for message in messages.select_related("sender")
    ]
    if sorted(found) != sorted(expected):
        return "has messages that differ from the database"
    following = [row["name"] for row in json.loads(files["following.json"])["following"]]
    followed = owner.following.order_by("created_at").values_list("followed__username", flat=True)
    if following != list(followed):
        return "has followed users that differ from the database"
    return _posts_problem(files["posts.json"], owner)


ARCHIVE_CHECKS = {"posts": _posts_problem, "account": _account_problem}


def _row_id(mail: Mail) -> str:
    """Return the id of the ExportMail row, which the Message-ID begins with."""
    return str(mail.message["message-id"]).strip("<>").partition("@")[0]
