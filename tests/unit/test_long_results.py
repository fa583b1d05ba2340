# SPDX-License-Identifier: GPL-3.0-or-later
"""A missing result fails, an old one is named."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.long import MEASURED, ROOT, check


def write(folder: Path, commit: str) -> None:
    for name in BENCHMARKS:
        result = {"commit": commit, "date": "2026-11-21T03:00:00+00:00", "length_s": 300, "report": {}}
        (folder / f"{name}.json").write_text(json.dumps(result))


def test_results_are_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 1
    assert "no result" in capsys.readouterr().out
    write(tmp_path, "0" * 40)
    assert check(tmp_path) == 0
    assert "older than the code" in capsys.readouterr().out


def test_a_result_of_this_very_commit_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    write(tmp_path, head)
    assert check(tmp_path) == 0
    assert "up to date" in capsys.readouterr().out


def test_every_benchmark_says_what_it_measures() -> None:
    assert set(MEASURED) == set(BENCHMARKS)
    for paths in MEASURED.values():
        assert all(any(ROOT.glob(path.removeprefix(":(exclude)"))) for path in paths)
