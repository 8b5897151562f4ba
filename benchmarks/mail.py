"""Goal 5: peak memory of mailing the largest attachment, compared with `EmailMessage.attach`.

Both sides send the same bytes to a real mail server, each in a process that has loaded everything a
worker loads. `python -m benchmarks.mail SIDE` is that process.
"""

import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from .installation import installation, with_services
from .report import Goal

ROUNDS = 5
MAX_RATIO = 1.1


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the archive's size and the median peak memory of each side, in bytes."""
    with installation() as bare, with_services(bare, "broker", "mail") as place:
        size = int(place.python("-m", "benchmarks.mail", "prepare", str(rounds)))
        print(f"Mailing {size:,} bytes, {rounds} rounds ...", file=sys.stderr)
        peaks: dict[str, list[int]] = {"ours": [], "bare": []}
        for _ in range(rounds):
            for side, values in peaks.items():
                values.append(place.peak_memory("-m", "benchmarks.mail", side))
        return {
            "archive_bytes": size,
            "bytes": {side: median(values) for side, values in peaks.items()},
        }


def goals(result: dict[str, Any]) -> list[Goal]:
    ours, bare = (result["bytes"][side] for side in ("ours", "bare"))
    return [
        Goal(
            number=5,
            title=f"Memory for mailing an archive of {result['archive_bytes'] / 1e6:.1f} MB",
            result=f"{ours / bare:.2f} ({ours / 1e6:.1f} MB)",
            baseline=f"EmailMessage.attach: {bare / 1e6:.1f} MB",
            target=f"at most {MAX_RATIO}",
            is_met=ours / bare <= MAX_RATIO,
        )
    ]


def _prepare(mails: int) -> int:
    """Create an archive of the largest attachable size with `mails` mails, and return the size."""
    from django.core.files.base import ContentFile

    from blog.management import demo_data as demo
    from blog.models import User
    from exports.models import ExportMail, ExportTask, Purpose, Status
    from tasks.models.clock import from_now, sweep_after

    owner = User.objects.create(username="posts", email="posts@example.com")
    owner.confirm_email()
    size = _max_attachment_size()
    task = ExportTask.objects.request(owner)[0]
    text = "".join(
        text.body for text in islice(demo.generate_posts("mail", size, seed=1), size // 50)
    )
    task.archive.save("posts.json", ContentFile(text.encode()[:size].ljust(size)))
    now = {
        "started_at": from_now(0),
        "finished_at": from_now(0),
        "archive_expires_at": from_now(3600),
    }
    ExportTask.objects.update(
        status=Status.SUCCESSFUL, archive_bytes=size, rows_total=size // 146, **now
    )
    ExportMail.objects.bulk_create(
        ExportMail(task=task, purpose=Purpose.ARCHIVE, next_try_at=sweep_after())
        for _ in range(mails)
    )
    return size


def _max_attachment_size() -> int:
    from django.conf import settings

    from exports import delivery

    size = settings.EXPORT_MAIL_LIMIT // 4 * 3
    while not delivery.is_attachable(size):
        size -= 1
    return int(size)


def _send_ours() -> None:
    from exports.models import ExportMail, MailStatus
    from tasks import jobs

    mail = (
        ExportMail.objects.select_related("task__owner").filter(status=MailStatus.PENDING).first()
    )
    assert mail is not None
    jobs.send_mail(mail._meta.label, str(mail.pk), mail.tries)
    mail.refresh_from_db()
    if mail.status != MailStatus.SENT:
        raise SystemExit(f"The mail was not sent: {mail.error}")


def _send_bare() -> None:
    from django.core.mail import EmailMessage

    from exports.models import ExportTask

    message = EmailMessage("Your blog posts", "Here they are.", to=["posts@example.com"])
    message.attach(
        "posts.json", Path(ExportTask.objects.get().archive.path).read_bytes(), "application/json"
    )
    message.send()


SENDERS: dict[str, Callable[[], None]] = {"ours": _send_ours, "bare": _send_bare}

if __name__ == "__main__":
    import django

    django.setup()
    if sys.argv[1] in SENDERS:
        from tasks import jobs

        jobs.preload()  # as a worker does before it sends anything
        SENDERS[sys.argv[1]]()
    else:
        print(_prepare(int(sys.argv[2])))
