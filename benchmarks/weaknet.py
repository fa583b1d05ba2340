# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad networks, H.264, 1280x720 at 30 pictures a second: ours and stock aiortc.

Losses, a way that gets narrow and wide again, one narrow way among four, an outage of ten seconds. The
network is a relay of datagrams in the process of both ends (outage: name spaces). Every run is a process of
its own; the peers take turns; figures are medians over the runs. Stock aiortc encodes for each peer by
itself and makes no new connection after an outage: in the last two there is no peer.
"""

import asyncio
import os
import statistics
import sys

from benchmarks import child, outage
from benchmarks.report import Figure, Report

PEERS = ("ours", "aiortc")
LOSSY = (
    ("frozen_percent", "frozen (W3C freezeCount rule)", "% of the time", 2.0),
    ("longest_gap_ms", "longest gap between pictures", "ms", None),
    ("added_p50_ms", "added delay p50", "ms", None),
    ("added_p95_ms", "added delay p95", "ms", 250.0),
    ("fps", "pictures per second", "1/s", None),
    ("bitrate_kbps", "bitrate", "kbit/s", None),
)
NARROW = (
    ("adapted_s", "last picture later than 300 ms after", "s", 5.0),
    ("adapted_p95_ms", "latency p95 from then on", "ms", 300.0),
    ("adapted_fps", "pictures per second from then on", "1/s", None),
    ("adapted_width", "width from then on", "pixels", None),
    ("regained_s", "full quality after the way is wide again", "s", 15.0),
)
PREFIX = {"lossy": "5 % loss, 100 ms round trip, 20 ms jitter", "narrow": "2 Mbit/s to 400 kbit/s"}
OUTAGES = 6

Results = dict[str, dict[str, list[child.Figures]]]
"""By scenario and peer."""


def run(short: bool) -> Report:
    """Short: one run of half the length each, of losses and of the narrow way only."""
    rounds, factor = (1, 0.5) if short else (2, 1.0)
    results: Results = {"lossy": {}, "narrow": {}}
    for round_ in range(rounds):
        for scenario, found in results.items():
            for peer in PEERS:
                print(f"round {round_ + 1} of {rounds}: {scenario}, {peer}", file=sys.stderr)
                found.setdefault(peer, []).append(_run("weaknet_peer", peer, scenario, str(factor)))
    figures = [
        *rows(results["lossy"], PREFIX["lossy"], LOSSY),
        *rows(results["narrow"], PREFIX["narrow"], NARROW),
    ]
    if not short:
        figures += _one_of_four([_run("weaknet_four", "1") for _ in range(rounds)])
        figures += _outages()
    return Report("weaknet", figures)


def rows(
    results: dict[str, list[child.Figures]],
    prefix: str,
    keys: tuple[tuple[str, str, str, float | None], ...],
) -> list[Figure]:
    """By peer what its runs found. Where ours has no figure (nothing came through) there is no row."""
    figures = []
    for key, name, unit, target in keys:
        found = child.medians(results, key)
        if "ours" in found:
            figures.append(Figure(name, unit, 0, target=target).measured(f"{prefix}:", found))
    return figures


def _one_of_four(runs: list[child.Figures]) -> list[Figure]:
    name = "one of four capped at 300 kbit/s: "
    lost = child.median(runs, "lost_percent")
    pictures = child.median(runs, "lost_pictures_percent")
    capped = child.median(runs, "capped_fps")
    return [
        Figure(f"{name}what the others lose of their bitrate, the worst", "%", lost, target=10.0),
        Figure(f"{name}of their pictures, the worst", "%", pictures, target=10.0),
        Figure(f"{name}pictures per second of the capped one", "1/s", capped),
    ]


def _outages() -> list[Figure]:
    if os.geteuid() != 0:
        raise PermissionError("network name spaces take root")
    figures = []
    for relayed, where in ((False, ""), (True, ", behind a relay")):
        times = asyncio.run(outage.measure(OUTAGES, relayed=relayed))
        name = f"outage of 10 s with a new address{where}: both see again after"
        figures.append(Figure(f"{name}, p50", "s", statistics.median(times)))
        figures.append(Figure(f"{name}, worst of {len(times)}", "s", max(times), target=3.0))
    return figures


def _run(module: str, *arguments: str) -> child.Figures:
    return child.run(module, *arguments, timeout_s=240)
