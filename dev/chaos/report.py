"""The table at the end."""

from collections import Counter
from collections.abc import Iterator

from exports.models import MailStatus, Status

from .faults import KINDS
from .oracle import Injection, Verdict
from .watch import Watcher
from .world import World

LEAST_DELIVERED = 0.95
LEAST_BUILDING, LEAST_MAILING = 1 / 3, 1 / 10
ENOUGH = 20  # fewer kills, or requests, say nothing about shares


def lines(
    world: World, injections: list[Injection], verdict: Verdict, watcher: Watcher
) -> Iterator[str]:
    counts = Counter(one.kind for one in injections)
    yield f"{'fault':<62}{'count':>6}"
    for name, kind in KINDS.items():
        if name in counts or world.database.name == "postgres" or not kind.postgres_only:
            yield f"{_title(world, name):<62}{counts[name]:>6}"
    yield f"{'in all':<62}{len(injections):>6}"
    building, mailing, kills = aims(injections)
    yield ""
    yield f"{'kills, of which hit a build / a mail':<50}{f'{kills}: {building} / {mailing}':>18}"
    made = f"{verdict.requests}: {verdict.accounts}"
    yield f"{'requests made, of which for a whole account':<50}{made:>18}"
    share = len(verdict.delivered) / max(1, verdict.requests)
    yield f"{'archives delivered':<50}{f'{len(verdict.delivered)} ({share:.1%})':>18}"
    yield f"{'mails given up, and said so':<50}{len(verdict.gave_up):>18}"
    yield f"{'failed, and told':<50}{len(verdict.failed):>18}"
    yield f"{'duplicate mails, explained, same Message-ID':<50}{len(verdict.duplicates):>18}"
    for what, found in verdict.forbidden.items():
        name = f"stuck (longer than {watcher.limit:g} s)" if what == "stuck" else what
        yield f"{name:<50}{len(found):>18}"
    yield f"{'longest rescue':<50}{f'{watcher.longest_rescue:.1f} s':>18}"


def details(verdict: Verdict) -> Iterator[str]:
    reasons = Counter(one.partition(" ")[2] for one in verdict.duplicates)
    duplicates = [f"{count:>3} {reason}" for reason, count in reasons.most_common()]
    for title, found in (
        ("Failed", verdict.failed),
        ("Duplicates", duplicates),
        *verdict.forbidden.items(),
    ):
        if found:
            yield f"\n{title.capitalize()}:"
            yield from (f"  {one}" for one in found)


def faults_of_the_run(
    injections: list[Injection], verdict: Verdict, expected: set[str]
) -> Iterator[str]:
    """Why the run as a whole does not count as passed."""
    for what, found in verdict.forbidden.items():
        if found:
            yield f"{len(found)} {what}"
    for name in sorted(expected - {one.kind for one in injections}):
        yield f"never happened: {KINDS[name].title}"
    poor = len(verdict.delivered) < LEAST_DELIVERED * verdict.requests
    if verdict.requests >= 10 * ENOUGH and poor:
        yield f"only {len(verdict.delivered)} of {verdict.requests} archives were delivered"
    building, mailing, kills = aims(injections)
    if kills >= ENOUGH and (building < LEAST_BUILDING * kills or mailing < LEAST_MAILING * kills):
        yield f"of {kills} kills only {building} hit a build and {mailing} a mail"


def aims(injections: list[Injection]) -> tuple[int, int, int]:
    """How many kills hit a build, how many a mail, and how many there were."""
    kills = [one for one in injections if KINDS[one.kind].is_kill]
    states = Counter(hit.state for one in kills for hit in one.hits)
    return states[Status.RUNNING], states[MailStatus.SENDING], len(kills)


def _title(world: World, name: str) -> str:
    title = KINDS[name].title
    return f"{title} (simulated)" if name == "fill_disk" and not world.is_mounted else title
