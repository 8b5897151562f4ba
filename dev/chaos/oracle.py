"""Compares what was asked for, what the database says, and what the mail server took."""

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

from blog.management.progress_bar import ProgressBar
from blog.models import Message, User
from dev.mailbox import Mail, Mailbox
from exports.archive.kinds import KINDS as ARCHIVES
from exports.archive.sections import isoformat_utc
from exports.archive.verification import Verification
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.models.task import MAX_CRASHES

from .faults import KINDS
from .watch import Watcher
from .world import Holder, World

DEADLY = ("kill_work_horse", "kill_worker", "kill_both", "terminate_group")
GROUND = ("empty_broker", "lose_broker", "hang_broker", "cut_connections", "restart_database")


@dataclass(frozen=True)
class Injection:
    """A fault that happened, with its beginning and end in seconds since 1970, and whom it hit at work."""

    kind: str
    began: float
    ended: float
    hits: list[Holder]

    def overlaps(self, begin: float, end: float) -> bool:
        return self.began <= end and begin <= self.ended


@dataclass
class Verdict:
    """What happened to every request. Each list but the first four has to be empty."""

    requests: int = 0
    accounts: int = 0
    delivered: list[str] = field(default_factory=list)
    gave_up: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    zombies: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    @property
    def forbidden(self) -> dict[str, list[str]]:
        """What may not be, by name."""
        return {
            "lost": self.lost,
            "stuck": self.stuck,
            "duplicates that nothing explains": self.unexplained,
            "wrong or short archives": self.wrong,
            "writes by zombies": self.zombies,
            "files left behind": self.leftovers,
        }


class Oracle:
    def __init__(
        self, world: World, accepted: Iterable[str], injections: list[Injection], watcher: Watcher
    ) -> None:
        self.world = world
        self.accepted = set(accepted)
        self.injections = injections
        self.watcher = watcher
        self.lease = world.lease
        self.ledger = {str(line["file"]): line for line in world.ledger()}
        self.taken: dict[str, list[Mail]] = defaultdict(
            list
        )  # by the part of the Message-ID that names the row
        for mail in Mailbox(world.mail_dir).mails(""):
            self.taken[_name_of(mail)].append(mail)

    def judge(self, only: Iterable[str] | None = None) -> Verdict:
        """All exports, or `only` some."""
        chosen = None if only is None else set(only)
        verdict = Verdict()
        tasks = list(ExportTask.objects.select_related("owner").order_by("created_at"))
        verdict.requests, verdict.accounts = (
            len(tasks),
            sum(task.kind == "account" for task in tasks),
        )
        verdict.lost += [
            f"{pk}: accepted, but no row has it"
            for pk in self.accepted - {str(task.pk) for task in tasks}
        ]
        for task in tasks:
            if chosen is not None and str(task.pk) not in chosen:
                continue
            self._judge_end(task, verdict)
            verdict.zombies += self._timeline(task)
        verdict.stuck += [
            f"{one.row}: {one.where}, silent for {one.seconds:.1f} s"
            for one in self.watcher.stuck.values()
        ]
        verdict.zombies += [
            path.read_text() for path in sorted((self.world.hooks / "zombies").iterdir())
        ]
        known = {str(pk) for pk in ExportMail.objects.values_list("pk", flat=True)}
        verdict.unexplained += [
            f"{name} is no mail that was owed" for name in self.taken.keys() - known
        ]
        verdict.leftovers += self._leftovers()
        return verdict

    def _judge_end(self, task: ExportTask, verdict: Verdict) -> None:
        if task.is_unfinished:
            verdict.stuck.append(f"{task.pk}: still {task.status}")
            return
        purpose = {Status.SUCCESSFUL: Purpose.ARCHIVE, Status.FAILED: Purpose.FAILURE}.get(
            Status(task.status)
        )
        mails = list(task.mails.all())
        if purpose is None or [mail.purpose for mail in mails] != [purpose]:
            verdict.lost.append(
                f"{task.pk}: {task.status}, and owes {[mail.purpose for mail in mails]}"
            )
            return
        [mail] = mails
        self._judge_mail(task, mail, verdict)
        if task.status == Status.FAILED:
            verdict.failed.append(
                f"{task.pk} of {task.owner.username}: {self._cause(task, verdict)}"
            )

    def _judge_mail(self, task: ExportTask, mail: ExportMail, verdict: Verdict) -> None:
        copies = sorted(self.taken.get(str(mail.pk), []), key=lambda copy: copy.path.name)
        if mail.status == MailStatus.GAVE_UP and mail.error:
            verdict.gave_up.append(f"{task.pk}: {mail.error}")
        elif mail.status != MailStatus.SENT:
            verdict.stuck.append(f"{task.pk}: its mail is still {mail.status}")
        elif not copies:
            verdict.lost.append(
                f"{task.pk}: its mail counts as sent, and the mail server never took it"
            )
        wrong = [
            f"{task.pk}: {copy.path.name} {flaw}"
            for copy in copies
            if (flaw := self._flaw(task, copy))
        ]
        verdict.wrong += wrong
        if copies and not wrong and mail.purpose == Purpose.ARCHIVE:
            verdict.delivered.append(str(task.pk))
        if len({str(copy.message["message-id"]) for copy in copies}) > 1:
            verdict.unexplained.append(f"{mail.pk} went out under several Message-IDs")
        for copy in copies[:-1]:
            reason = self._reason(mail, copy)
            text = f"{mail.pk} {reason or 'for no reason that is known'}"
            (verdict.duplicates if reason else verdict.unexplained).append(text)

    def _flaw(self, task: ExportTask, copy: Mail) -> str:
        """What is wrong with a mail that was taken; empty where nothing is."""
        if task.owner.email not in str(copy.message["to"]):
            return "went to somebody else"
        part = copy.attachment(ARCHIVES[task.kind].file_name)
        if task.status == Status.FAILED:
            return "has an archive, of a failed export" if part else ""
        if part is None:
            return "has no archive"
        content = part.get_content()
        if hashlib.sha256(content).hexdigest() != task.archive_sha256:
            return "has another checksum than the row"
        return CONTENTS[task.kind](content, task.owner)

    def _cause(self, task: ExportTask, verdict: Verdict) -> str:
        """Why an export may have failed; only three crashes will do here, where nothing is broken for good."""
        if task.error_code == ErrorCode.CRASHED and task.crashes == MAX_CRASHES:
            last = task.traceback.strip().splitlines()[-1:] or ["killed"]
            return f"{task.crashes} crashes ({last[0][:100]})"
        verdict.lost.append(
            f"{task.pk}: failed as {task.error_code} after {task.crashes} crashes\n{task.traceback}"
        )
        return task.error_code

    def _reason(self, mail: ExportMail, copy: Mail) -> str:
        """Why a mail that the server had taken was sent again; empty where nothing explains it."""
        line = self.ledger.get(copy.path.name)
        if line is None:
            return ""
        if line["mode"] == "swallow":
            return f"taken, and never answered: {KINDS['smtp_swallows'].title}"
        at = float(str(line["at"]))
        around = [one for one in self.injections if one.overlaps(at - 1, at + self.lease)]
        for one in around:
            if one.kind != "kill_parent_only" and any(hit.id == str(mail.pk) for hit in one.hits):
                return f"taken, and its sender was hit: {KINDS[one.kind].title}"
        for one in around:
            if one.kind in DEADLY and any(hit.id == str(mail.task_id) for hit in one.hits):
                return f"taken, and its sender was hit, which had just finished building: {KINDS[one.kind].title}"
        for one in around:
            if (
                one.kind in GROUND
            ):  # a worker that loses its broker ends, and its service is cleaned up
                return f"taken, and the sender lost broker or database: {KINDS[one.kind].title}"
        return ""

    def _timeline(self, task: ExportTask) -> Iterator[str]:
        """What in its history only a zombie can have written."""
        events: list[Any] = list(task.events.order_by("pk").values_list("kind", "attempt"))
        attempts = [attempt for _, attempt in events]
        if attempts != sorted(attempts):
            yield f"{task.pk}: an older attempt after a newer one: {events}"
        built = [attempt for kind, attempt in events if kind == Event.BUILT]
        expected = [task.attempt] if task.status == Status.SUCCESSFUL else []
        if built != expected:
            yield f"{task.pk}: built by {built}, the row has attempt {task.attempt} and is {task.status}"
        if task.archive.name and Path(task.archive.name).stem != task.job_id:
            yield f"{task.pk}: {task.archive.name} is not of attempt {task.attempt}"

    def _leftovers(self) -> Iterator[str]:
        """Files that belong to no export, after one round of pruning."""
        yield from (f"part file {path.name}" for path in (self.world.disk / "parts").iterdir())
        known = set(ExportTask.objects.exclude(archive="").values_list("archive", flat=True))
        there = {
            f"{path.parent.name}/{path.name}" for path in (self.world.disk / "archives").glob("*/*")
        }
        yield from (f"archive {name} of no export" for name in there - known)
        yield from (f"no archive {name}, which a row has" for name in known - there)


def _flaw_of_posts(content: bytes, owner: User) -> str:
    expected = [
        {"body": post.body, "timestamp": isoformat_utc(post.created_at)}
        for post in owner.posts.oldest_first()
    ]
    found = [
        {key: post[key] for key in ("body", "timestamp")} for post in json.loads(content)["posts"]
    ]
    return "" if found == expected else "holds other posts than the database"


def _flaw_of_account(content: bytes, owner: User) -> str:
    bar = ProgressBar(OutputWrapper(io.StringIO()), "rows")
    if problem := next(Verification(content, bar).problems(), ""):
        return f"is not sound: {problem}"
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    said = [
        (message["from"], message["body"], message["timestamp"])
        for conversation in json.loads(files["messages.json"])["messages"]
        for message in conversation["messages"]
    ]
    messages = Message.objects.filter(conversation__participants__person=owner).select_related(
        "sender"
    )
    if sorted(said) != sorted(
        (one.sender.username, one.body, isoformat_utc(one.created_at)) for one in messages
    ):
        return "holds other messages than the database"
    followed = [row["name"] for row in json.loads(files["following.json"])["following"]]
    if followed != list(
        owner.following.order_by("created_at").values_list("followed__username", flat=True)
    ):
        return "says that they follow others than the database"
    return _flaw_of_posts(files["posts.json"], owner)


CONTENTS = {"posts": _flaw_of_posts, "account": _flaw_of_account}


def _name_of(mail: Mail) -> str:
    return str(mail.message["message-id"]).strip("<>").partition("@")[0]
