# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in processes of their own, and what several of them found."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence

Figures = dict[str, float]
"""What one run found, by name; a figure it cannot have is missing."""


def run(module: str, *arguments: str, timeout_s: float) -> Figures:
    """The JSON object that `python -m benchmarks.MODULE` prints on its last line.

    Blocks. Raises subprocess.CalledProcessError and TimeoutExpired.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=timeout_s)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def median(runs: Sequence[Figures], key: str) -> float:
    """Raises KeyError for a figure that one of them has not."""
    return statistics.median(run[key] for run in runs)
