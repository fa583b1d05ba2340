# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in processes of their own, and what several of them found."""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence

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
    """Of those that have the figure. Raises StatisticsError when none has."""
    return statistics.median(run[key] for run in runs if key in run)


def medians(results: Mapping[str, Sequence[Figures]], key: str) -> dict[str, float]:
    """By peer; a peer none of whose runs has the figure is left out."""
    return {peer: median(runs, key) for peer, runs in results.items() if any(key in run for run in runs)}
