# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.without_row ROW...`: takes each row of docs/coverage.md out and wants its tests to fail.

`--sample N` chooses N rows whose tests are quick, by a seed that is printed; `--all` takes all. First the
tests run with nothing taken out, and must pass. Every run is a fork of this process, which has imported the
libraries once; what is taken out there reaches the programs a test starts by their environment.
"""

import argparse
import contextlib
import io
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from callagent.protocol import taken_out
from tests import deadline
from tests.coverage.rows import Row, rows
from tests.covers import TESTS, Place, covering

DEADLINE_S = 3.0
"""What a test waits for what does not come."""
TEST_LIMIT_S = 60
OPTIONS = (
    *("-q", "--tb=short", "-p", "no:cacheprovider", f"--timeout={TEST_LIMIT_S}"),
    # Plugins that were imported before have asserts without words.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
QUICK = (
    "tests/unit/server/",
    "tests/integration/test_callbacks.py",
    "tests/integration/test_documented_fields.py",
    "tests/integration/test_rest.py",
    "tests/integration/test_service_",
)
SLOWER_NODES = "two nodes"
"""In the name of a test that is the same on PostgreSQL and Redis."""


@dataclass(frozen=True, slots=True)
class Verdict:
    row: Row
    missed_by: tuple[Place, ...]
    """The tests that passed, or did not run, all the same."""
    took_s: float


class _Outcomes:
    """A pytest plugin: which tests failed, which passed; by function."""

    def __init__(self) -> None:
        self.failed: set[str] = set()
        self.passed: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if SLOWER_NODES not in item.nodeid]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if _function(item.nodeid) in self.failed:
            pytest.skip("it has failed with other parameters")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = _function(report.nodeid)
        if report.failed:
            self.failed.add(name)
        elif report.passed and report.when == "call":
            self.passed.add(name)


def _function(node: str) -> str:
    """Without parameters."""
    return node.partition("[")[0]


def main() -> int:
    arguments = _arguments()
    places = covering()
    wanted = _wanted(arguments, places)
    proving = {place for row in wanted for place in places[row.id]}
    _import_once(proving)
    broken = control(proving)
    for place in sorted(broken):
        print(f"{place.node} does not pass as it is")
    verdicts = [without(row, places[row.id]) for row in wanted]
    missed = [verdict for verdict in verdicts if verdict.missed_by]
    for verdict in missed:
        tests = ", ".join(place.node for place in verdict.missed_by)
        print(f"{verdict.row.id}: not noticed by {tests}")
    print(f"{len(verdicts) - len(missed)} of {len(verdicts)} rows taken out were noticed")
    if arguments.json is not None:
        found = {
            "taken_out": len(verdicts),
            "missed": {each.row.id: [place.node for place in each.missed_by] for each in missed},
            "broken": [place.node for place in sorted(broken)],
        }
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 1 if missed or broken else 0


def without(row: Row, places: Sequence[Place]) -> Verdict:
    """Run the row's tests with the row taken out."""
    began = time.monotonic()
    failed, _ = _run(row.hook, places)
    missed = tuple(place for place in places if place.node not in failed)
    verdict = Verdict(row, missed, time.monotonic() - began)
    print(f"{'MISSED ' if missed else 'noticed'} {row.id} ({verdict.took_s:.1f} s)", flush=True)
    return verdict


def control(places: set[Place]) -> set[Place]:
    """Those that do not pass with nothing taken out."""
    failed, passed = _run("", sorted(places))
    return {place for place in places if place.node in failed or place.node not in passed}


def _run(hook: str, places: Sequence[Place]) -> tuple[set[str], set[str]]:
    """The failed and the passed functions, of a process of its own that says nothing."""
    with tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        result = Path(folder) / "outcomes.json"
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                _tests(hook, places, result)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
        os.waitpid(child, 0)
        found = json.loads(result.read_text()) if result.exists() else {"failed": [], "passed": []}
        if not found["failed"] and not found["passed"]:
            print(_output_of(result).read_text(), "\nno test ran")
    return set(found["failed"]), set(found["passed"])


def _tests(hook: str, places: Sequence[Place], result: Path) -> None:
    output = os.open(_output_of(result), os.O_CREAT | os.O_WRONLY, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    taken_out.take_out(hook)
    outcomes = _Outcomes()
    pytest.main([*OPTIONS, *(place.node for place in places)], plugins=[outcomes])
    result.write_text(json.dumps({"failed": sorted(outcomes.failed), "passed": sorted(outcomes.passed)}))


def _output_of(result: Path) -> Path:
    return result.with_name("output")


def _import_once(places: set[Place]) -> None:
    """The tests and all they need, which takes longer than most of them; here, for all forks."""
    deadline.DEADLINE_S = DEADLINE_S
    os.chdir(TESTS.parent)
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*OPTIONS, "--collect-only", *sorted({place.file for place in places})])


def _wanted(arguments: argparse.Namespace, places: dict[str, list[Place]]) -> list[Row]:
    able = [row for row in rows().values() if row.hook and row.id in places]
    if arguments.rows:
        return [row for row in able if row.id in arguments.rows]
    if arguments.all:
        return able
    seed = arguments.seed if arguments.seed is not None else random.randrange(2**32)
    print(f"seed {seed}")
    quick = [row for row in able if all(place.file.startswith(QUICK) for place in places[row.id])]
    return random.Random(seed).sample(quick, arguments.sample)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.without_row", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("rows", nargs="*", default=[], help="ids, as docs/coverage.md has them")
    which.add_argument("--sample", type=int, metavar="N", help="so many, chosen by chance")
    which.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, help="of an earlier sample")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write what was found here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
