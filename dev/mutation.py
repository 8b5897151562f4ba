"""Mutation testing of the durable core: change the code in small ways, and find tests that notice.

`mutmut` writes each function together with all its mutants, and the environment chooses the one
that runs. This program runs them in one session of pytest: first all unit tests, which tells what
each of them covers, then a fork for each mutant, which runs the tests that cover it until one
fails. A fork inherits loaded modules and a migrated database, so a mutant takes as long as its
tests; mutmut itself would start Django and migrate a database for each.

The configuration is `[tool.mutmut]` in pyproject.toml. Results are kept in var/mutation.json, so
that a later run can be limited to survivors.
"""

import argparse
import ast
import difflib
import fnmatch
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import libcst
import pytest
from mutmut.configuration import config
from mutmut.mutation import file_mutation
from mutmut.state import state
from mutmut.utils.format_utils import get_mutant_name, mangled_name_from_mutant_name

from dev.stack import die_with_parent

ROOT = Path(os.environ.get("MUTATION_ROOT") or Path(__file__).resolve().parent.parent)
FOLDER = ROOT / "var" / "mutants"
RESULTS = ROOT / "var" / "mutation.json"
COVERAGE = ROOT / "var" / "mutation-coverage.json"
SELECTION = "MUTATION_SELECTION"  # environment variable: JSON list of names
BUDGET = "MUTATION_BUDGET"  # environment variable: seconds of processor time
EXCLUDED = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache", "node_modules")
# Decorators that keep working if the trampoline, which chooses the mutant, is inside of them.
SAFE_DECORATORS = {"property", "staticmethod", "classmethod", "contextmanager", "register_job"}
TIMEOUT_SECONDS, TIMEOUT_FACTOR = 40, 10  # a process of low priority may wait for long

KILLED, SURVIVED, TIMEOUT, UNCOVERED = "killed", "survived", "timeout", "uncovered"


# Generating mutants


def generate() -> dict[str, list[str]]:
    """Copy the project to FOLDER, with all mutants; return their names by module."""
    _allow_safe_decorators()
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(ROOT, FOLDER, ignore=EXCLUDED)
    mutants = {}
    for path in sorted(_paths()):
        source = (ROOT / path).read_text()
        mutated = file_mutation.mutate_file_contents(str(path), source)
        (FOLDER / path).write_text(mutated.code)
        if mutated.mutant_names:
            mutants[str(path)] = [get_mutant_name(path, name) for name in mutated.mutant_names]
    return mutants


def _paths() -> Iterator[Path]:
    for folder in config().source_paths:
        for path in (ROOT / folder).rglob("*.py"):
            relative = path.relative_to(ROOT)
            if config().should_mutate(relative):
                yield relative


def _allow_safe_decorators() -> None:
    """Let mutmut change functions with the decorators of SAFE_DECORATORS, which it leaves out."""
    visitor: Any = file_mutation.MutationVisitor
    skip, arrange = visitor._skip_node_and_children, file_mutation.function_trampoline_arrangement

    def skip_unless_safe(self: Any, node: libcst.CSTNode) -> bool:
        if isinstance(node, libcst.FunctionDef) and _has_safe_decorators(node):
            node = node.with_changes(decorators=[])
            return node.name.value in file_mutation.NEVER_MUTATE_FUNCTION_NAMES
        return bool(skip(self, node))

    def arrange_undecorated(
        function: libcst.FunctionDef, mutants: Any, class_name: str | None
    ) -> Any:
        if _is_classmethod(function):
            return arrange(function, mutants, class_name)
        bare = function.with_changes(decorators=[])
        before, (trampoline, *copies), after, names = arrange(bare, mutants, class_name)
        decorators = [*function.decorators, *trampoline.decorators]  # type: ignore[union-attr]
        return before, [trampoline.with_changes(decorators=decorators), *copies], after, names

    visitor._skip_node_and_children = skip_unless_safe
    file_mutation.function_trampoline_arrangement = arrange_undecorated


def _decorator_names(function: libcst.FunctionDef) -> list[str]:
    module = libcst.Module(body=[])
    return [module.code_for_node(each.decorator).split(".")[-1] for each in function.decorators]


def _has_safe_decorators(function: libcst.FunctionDef) -> bool:
    return SAFE_DECORATORS.issuperset(_decorator_names(function))


def _is_classmethod(function: libcst.FunctionDef) -> bool:
    return _decorator_names(function) == ["classmethod"]


# Running mutants, as a plugin of pytest in FOLDER


class Outcome:
    """Whether the test that ran last has failed."""

    has_failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.has_failed = self.has_failed or report.failed


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests once, and then those of each mutant, in place of the usual loop."""
    if SELECTION not in os.environ:
        return None
    session.config.pluginmanager.register(outcome := Outcome())
    tests, durations = _coverage(session, outcome)
    restore = _snapshot()
    os.nice(19)  # hours of work that nobody waits for
    control = [session.items[index] for index in sorted(durations, key=durations.__getitem__)[:40]]
    if _run_mutant(session, "", control, 600, outcome) != SURVIVED:
        session.shouldfail = "tests fail in a fork without a mutant"
        return True
    names = json.loads(os.environ[SELECTION])
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for number, name in enumerate(names, start=1):
        covering = sorted(tests[mangled_name_from_mutant_name(name)], key=durations.__getitem__)
        covering = _within_budget(covering, durations)
        items = [session.items[index] for index in covering]
        seconds = TIMEOUT_SECONDS + TIMEOUT_FACTOR * sum(durations[index] for index in covering)
        began = time.monotonic()
        results[name] = _run_mutant(session, name, items, seconds, outcome) if items else UNCOVERED
        restore()
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False))
        taken = f"{time.monotonic() - began:.1f} s, {len(items)} tests"
        print(f"{number}/{len(names)} {results[name]} {name} ({taken})", file=sys.__stderr__)
    return True


def _coverage(
    session: pytest.Session, outcome: Outcome
) -> tuple[dict[str, set[int]], dict[int, float]]:
    """Return the tests that cover each function, and their durations, from COVERAGE or by running.

    A test that fails without a mutant tells nothing, so it is left out.
    """
    known = json.loads(COVERAGE.read_text()) if COVERAGE.exists() else {}
    tests: dict[str, set[int]] = defaultdict(set)
    durations = {}
    os.environ["MUTANT_UNDER_TEST"] = "stats"
    for index, item in enumerate(session.items):
        # The first test also starts the broker, and migrates the database.
        if index == 0 or item.nodeid not in known:
            known[item.nodeid] = _measure(session, index, outcome)
        functions, durations[index], has_passed = known[item.nodeid]
        for function in functions if has_passed else ():
            tests[function].add(index)
        if not has_passed:
            print(
                f"Left out, because it fails without a mutant: {item.nodeid}", file=sys.__stderr__
            )
    COVERAGE.write_text(json.dumps(known, ensure_ascii=False))
    os.environ["MUTANT_UNDER_TEST"] = ""
    return tests, durations


def _measure(
    session: pytest.Session, index: int, outcome: Outcome
) -> tuple[list[str], float, bool]:
    outcome.has_failed = False
    began = time.process_time()
    _run(session, session.items[index])
    functions = sorted(state()._stats)
    state()._stats.clear()
    has_passed, outcome.has_failed = not outcome.has_failed, False
    return functions, time.process_time() - began, has_passed


def _within_budget(covering: list[int], durations: dict[int, float]) -> list[int]:
    """Return the first tests that take BUDGET seconds in all, at least one."""
    budget = float(os.environ[BUDGET])
    times = accumulate(durations[index] for index in covering)
    within = [index for index, seconds in zip(covering, times, strict=True) if seconds <= budget]
    return within or covering[:1]


def _snapshot() -> Any:
    """Return a function that restores database and files, which a mutant may have changed."""
    from django.conf import settings
    from django.db import connection, connections

    connections.close_all()
    folder, database = Path(settings.VAR_DIR), Path(connection.settings_dict["NAME"])
    content, files = database.read_bytes(), set(folder.rglob("*"))

    def restore() -> None:
        for path in sorted(set(folder.rglob("*")) - files, reverse=True):
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        for suffix in ("-wal", "-shm"):
            Path(f"{database}{suffix}").unlink(missing_ok=True)
        database.write_bytes(content)

    return restore


class _SessionOnly:
    """Stands for the test that follows, of which only the session's fixtures are kept."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        return [self._session]


def _run(session: pytest.Session, item: pytest.Item) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=_SessionOnly(session))


def _run_mutant(
    session: pytest.Session, name: str, items: list[pytest.Item], seconds: float, outcome: Outcome
) -> str:
    child = os.fork()
    if child == 0:
        os.setsid()
        die_with_parent(signal.SIGKILL)
        os.environ["MUTANT_UNDER_TEST"] = name
        os._exit(_exit_code(session, items, outcome))
    deadline = time.monotonic() + seconds
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < deadline:
        time.sleep(0.01)
    if not ended[0]:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return TIMEOUT
    return SURVIVED if ended[1] == 0 else KILLED


def _exit_code(session: pytest.Session, items: list[pytest.Item], outcome: Outcome) -> int:
    """Run tests up to the first failure; return 0 if there is none."""
    try:
        for item in items:
            _run(session, item)
            if outcome.has_failed:
                return 1
    except BaseException:
        return 1
    return 0


# Reporting


def _report(mutants: dict[str, list[str]], results: dict[str, str], show: bool) -> None:
    print("| module | mutants | killed | survived | not covered | killed, % |")
    print("|---|---|---|---|---|---|")
    total: Counter[str] = Counter()
    for path, names in mutants.items():
        counts = Counter(results[name] for name in names if name in results)
        if counts:
            print(_table_row(path, counts))
            total += counts
    print(_table_row("all", total))
    for path, names in mutants.items() if show else ():
        for name in names:
            if results.get(name) in (SURVIVED, UNCOVERED):
                print(f"\n{results[name]}: {name}\n{_difference(path, name)}")


def _table_row(title: str, counts: Counter[str]) -> str:
    killed, number = counts[KILLED] + counts[TIMEOUT], counts.total()
    share = 100 * killed / number if number else 0
    return (
        f"| {title} | {number} | {killed} | {counts[SURVIVED]} | {counts[UNCOVERED]} "
        f"| {share:.1f} |"
    )


def _difference(path: str, name: str) -> str:
    """Return the lines that the mutant changes."""
    source = (FOLDER / path).read_text()
    name = name.rpartition(".")[2]
    original = f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"
    found = {
        node.name: ast.get_source_segment(source, node) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name in (name, original)
    }
    before, after = (found[each].splitlines()[1:] for each in (original, name))
    changed = difflib.unified_diff(before, after, lineterm="", n=0)
    return "\n".join(line for line in changed if not line.startswith(("---", "+++", "@@")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", help="names of mutants, such as tasks.jobs.*")
    parser.add_argument("--sample", type=int, help="run at most that many mutants of each module")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument(
        "--budget",
        type=float,
        default=600,
        help="seconds of tests for a mutant, the fastest first",
    )
    parser.add_argument("--survivors", action="store_true", help="run those that survived before")
    parser.add_argument("--resume", action="store_true", help="run those without a result")
    parser.add_argument("--show", action="store_true", help="show what the survivors change")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    mutants = generate()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    selected = []
    for path, names in mutants.items():
        chosen = names
        if arguments.sample and len(names) > arguments.sample:
            # Seeded for each module, so that a change of one leaves the samples of the others.
            generator = random.Random(f"{arguments.seed} {path}")  # noqa: S311 - not for security
            chosen = generator.sample(names, arguments.sample)
        selected += [
            name
            for name in chosen
            if any(fnmatch.fnmatch(name, pattern) for pattern in arguments.patterns or ["*"])
            and not (arguments.resume and name in results)
            and not (arguments.survivors and results.get(name) not in (SURVIVED, UNCOVERED))
        ]
    print(f"{len(selected)} of {sum(map(len, mutants.values()))} mutants", file=sys.stderr)
    tests = config().pytest_add_cli_args_test_selection
    command = [sys.executable, "-m", "pytest", "-p", "dev.mutation", *_PYTEST_OPTIONS, *tests]
    environment = os.environ | {
        SELECTION: json.dumps(selected),
        BUDGET: str(arguments.budget),
        "MUTATION_ROOT": str(ROOT),
    }
    code = subprocess.call(command, cwd=FOLDER, env=environment) if selected else 0
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    _report(mutants, results, arguments.show)
    return code


_PYTEST_OPTIONS = ("-q", "-n", "0", "-m", "unit", "-p", "no:cacheprovider", "--capture=sys")

if __name__ == "__main__":
    sys.exit(main())
