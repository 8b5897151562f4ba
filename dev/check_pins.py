"""Check that the pinned requirements are complete for every Python that the project supports.

A package can need another one on some Pythons only: redis needs async-timeout before 3.11.3. So
`make lock` resolves for all of them at once, and this check finds what was edited by hand. The
metadata of the installed packages says what each needs.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from dev.stack import ROOT

# Every patch release, because a dependency may end with any of them.
PYTHONS = [f"3.{minor}.{patch}" for minor in (11, 12, 13, 14) for patch in range(16)]
FILES = {
    "requirements.in": ["requirements.txt"],
    "requirements-dev.in": ["requirements.txt", "requirements-dev.txt"],
    "requirements-bench.in": ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"],
}


def parse_requirements(path: Path) -> list[Requirement]:
    lines = (line.partition(" #")[0].strip() for line in path.read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


@cache
def requirements_of(name: str) -> list[Requirement]:
    """Return all requirements of a package; none if this Python does not need the package."""
    try:
        return [Requirement(line) for line in distribution(name).requires or []]
    except PackageNotFoundError:
        return []


@cache
def supported_pythons(name: str) -> SpecifierSet:
    try:
        return SpecifierSet(distribution(name).metadata["Requires-Python"] or "")
    except PackageNotFoundError:
        return SpecifierSet()


class Lock:
    """Pinned requirements of some files, as they apply to one Python."""

    def __init__(self, paths: list[Path], python: str) -> None:
        self.python = python
        self.environment = {
            "python_full_version": python,
            "python_version": python.rpartition(".")[0],
        }
        pins = [pin for path in paths for pin in parse_requirements(path) if self.applies(pin)]
        self.versions: dict[str, str] = {
            canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins
        }

    def applies(self, requirement: Requirement, extra: str = "") -> bool:
        marker = requirement.marker
        return marker is None or marker.evaluate(self.environment | {"extra": extra})

    def problems(self, wanted: list[Requirement]) -> Iterator[str]:
        """Yield what is wrong with `wanted` and all that it needs."""
        seen: set[tuple[str, str]] = set()
        queue = [("", requirement) for requirement in wanted if self.applies(requirement)]
        while queue:
            parent, requirement = queue.pop()
            name = canonicalize_name(requirement.name)
            yield from self._pin_problems(name, requirement, parent)
            new = {(name, extra) for extra in ("", *requirement.extras)} - seen
            seen |= new
            queue += [(name, needed) for _, extra in new for needed in self._needs(name, extra)]

    def _pin_problems(self, name: str, requirement: Requirement, parent: str) -> Iterator[str]:
        needed_by = f"{parent or 'the project'} on Python {self.python}"
        if name not in self.versions:
            yield f"{requirement.name} is not pinned, but needed by {needed_by}"
        elif not requirement.specifier.contains(self.versions[name], prereleases=True):
            yield (
                f"{requirement.name}=={self.versions[name]} does not fit {needed_by}: "
                f"{requirement.specifier}"
            )

    def _needs(self, name: str, extra: str) -> list[Requirement]:
        return [needed for needed in requirements_of(name) if self.applies(needed, extra)]

    def unsupported(self) -> Iterator[str]:
        """Yield the packages that say that they do not run on this Python."""
        for name in self.versions:
            if not supported_pythons(name).contains(self.python):
                yield f"{name} does not support Python {self.python}: {supported_pythons(name)}"


def problems(root: Path) -> list[str]:
    """Return each problem once, with the first Python that has it."""
    found: dict[str, str] = {}
    for source, pinned in FILES.items():
        wanted = parse_requirements(root / source)
        for python in PYTHONS:
            lock = Lock([root / name for name in pinned], python)
            for problem in (*lock.problems(wanted), *lock.unsupported()):
                found.setdefault(problem.replace(f"Python {python}", ""), f"{source}: {problem}")
    return list(found.values())


def main() -> int:
    found = problems(ROOT)
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # accepts no arguments
    sys.exit(main())
