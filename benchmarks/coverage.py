# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the tests of docs/coverage.md would notice: each row taken out in turn, its tests must fail.

A row whose tests pass without it is a figure of its own. There are no peers.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.report import Figure, Report
from tests.coverage.rows import Status, rows
from tests.covers import TESTS

SHORT_SAMPLE = 20


def run(short: bool) -> Report:
    found = _without_rows(["--sample", str(SHORT_SAMPLE)] if short else ["--all"])
    statuses = Counter(row.status for row in rows().values())
    out, missed = found["taken_out"], found["missed"]
    return Report(
        "coverage",
        [
            Figure("rows of the reference", "", len(rows()), more_is_better=True),
            Figure("proved by a test", "", statuses[Status.BUILT], more_is_better=True),
            Figure("to do", "", statuses[Status.TO_DO]),
            Figure("not built, for a reason", "", statuses[Status.NOT_BUILT]),
            Figure("taken out", "", out, more_is_better=True),
            Figure("noticed", "", out - len(missed), target=out, more_is_better=True),
            *(Figure(f"not noticed: {row}", "tests", len(tests), target=0) for row, tests in missed.items()),
            *(Figure(f"fails as it is: {test}", "", 1, target=0) for test in found["broken"]),
        ],
    )


def _without_rows(arguments: list[str]) -> dict[str, Any]:
    """A process of its own: it forks, and this one may have threads."""
    with tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "tests.without_row", *arguments, "--json", str(result)]
        subprocess.run(command, cwd=TESTS.parent, check=False)
        found: dict[str, Any] = json.loads(result.read_text())
    return found
