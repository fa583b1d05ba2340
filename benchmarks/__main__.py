# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m benchmarks NAME [--short] [--json FILE]`: measures, prints a table, exits 0."""

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    audio_network,
    coverage,
    echo,
    encoders,
    fanout,
    hotplug,
    idle,
    laboratory,
    loopback,
    screen,
    screen_kills,
    setup,
    signalling,
    soak,
    weaknet,
)
from benchmarks.report import Report

BENCHMARKS: dict[str, Callable[[bool], Report]] = {
    "audio": echo.run,
    "audio_network": audio_network.run,
    "coverage": coverage.run,
    "encoders": encoders.run,
    "fanout": fanout.run,
    "hotplug": hotplug.run,
    "idle": idle.run,
    "laboratory": laboratory.run,
    "loopback": loopback.run,
    "screen": screen.run,
    "screen_kills": screen_kills.run,
    "setup": setup.run,
    "signalling": signalling.run,
    "soak": soak.run,
    "weaknet": weaknet.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--short", action="store_true", help="a few seconds each, for continuous integration")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    report = BENCHMARKS[arguments.name](arguments.short)
    print(report.table())
    if arguments.json is not None:
        arguments.json.write_text(report.json())


if __name__ == "__main__":
    main()
