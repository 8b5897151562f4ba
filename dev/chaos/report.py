"""The table at the end of a run, and the reasons why the run failed."""

from collections import Counter
from collections.abc import Iterator

from exports.models import MailStatus, Status

from .faults import FAULT_KINDS
from .harness import Harness
from .oracle import Injection, Verdict
from .watcher import Watcher

MIN_DELIVERED_SHARE = 0.95
MIN_BUILD_SHARE, MIN_MAIL_SHARE = 1 / 3, 1 / 10
# With fewer kills or requests the shares say nothing.
MIN_KILLS = 20
MIN_REQUESTS = 200


def table_lines(
    harness: Harness, injections: list[Injection], verdict: Verdict, watcher: Watcher
) -> Iterator[str]:
    counts = Counter(injection.kind for injection in injections)
    yield f"{'fault':<62}{'count':>6}"
    for name, kind in FAULT_KINDS.items():
        if name in counts or harness.database.name == "postgres" or not kind.postgres_only:
            is_simulated = name == "fill_disk" and not harness.is_mounted
            title = f"{kind.title} (simulated)" if is_simulated else kind.title
            yield f"{title:<62}{counts[name]:>6}"
    yield f"{'total':<62}{len(injections):>6}"
    yield ""
    builds, mails, kills = kill_counts(injections)
    delivered = len(verdict.delivered)
    rows = [
        ("kills (during a build / a delivery)", f"{kills} ({builds} / {mails})"),
        ("requests (for the whole account)", f"{verdict.requests} ({verdict.account_requests})"),
        ("archives delivered", f"{delivered} ({delivered / max(1, verdict.requests):.1%})"),
        ("accounts deleted", verdict.deletions),
        ("mails given up and reported", len(verdict.gave_up)),
        ("exports and deletions failed", len(verdict.failed)),
        ("duplicate mails, explained, same Message-ID", len(verdict.duplicates)),
    ]
    for title, found in verdict.violations.items():
        label = f"stuck (longer than {watcher.limit:g} s)" if title == "stuck" else title
        rows.append((label, len(found)))
    rows.append(("longest rescue time", f"{watcher.longest_rescue:.1f} s"))
    yield from (f"{label:<50}{value:>18}" for label, value in rows)


def detail_lines(verdict: Verdict) -> Iterator[str]:
    causes = Counter(text.partition(" ")[2] for text in verdict.duplicates)
    duplicates = [f"{count:>3} {cause}" for cause, count in causes.most_common()]
    for title, found in (
        ("failed", verdict.failed),
        ("duplicates", duplicates),
        *verdict.violations.items(),
    ):
        if found:
            yield f"\n{title.capitalize()}:"
            yield from (f"  {text}" for text in found)


def failure_reasons(
    injections: list[Injection], verdict: Verdict, planned: set[str]
) -> Iterator[str]:
    for title, found in verdict.violations.items():
        if found:
            yield f"{len(found)} {title}"
    for name in sorted(planned - {injection.kind for injection in injections}):
        yield f"never happened: {FAULT_KINDS[name].title}"
    delivered = len(verdict.delivered)
    expected = verdict.requests - len(verdict.gave_up)
    if verdict.requests >= MIN_REQUESTS and delivered < MIN_DELIVERED_SHARE * expected:
        yield f"only {delivered} of {verdict.requests} archives were delivered"
    builds, mails, kills = kill_counts(injections)
    if kills >= MIN_KILLS and (builds < MIN_BUILD_SHARE * kills or mails < MIN_MAIL_SHARE * kills):
        yield f"of {kills} kills only {builds} hit a build and {mails} a delivery"


def kill_counts(injections: list[Injection]) -> tuple[int, int, int]:
    """Return how many kills hit a build, how many a delivery, and the number of kills."""
    kills = [injection for injection in injections if FAULT_KINDS[injection.kind].is_kill]
    states = Counter(claim.state for injection in kills for claim in injection.hits)
    return states[Status.RUNNING], states[MailStatus.SENDING], len(kills)
