# SPDX-License-Identifier: GPL-3.0-or-later
"""One camera to 1, 2, 4 and 8 peers, H.264, 1280x720 at 30 pictures a second: ours and stock aiortc.

The sender is a process of its own and the only one whose processor time is taken. Receivers share another
process, take complete pictures and decode none: on two cores eight decoders would be measured instead.
Every run begins anew; the peers take turns; figures are medians over the runs.
"""

import statistics
import sys

from benchmarks import child
from benchmarks.report import Figure, Report

PEERS = ("ours", "aiortc")
COUNTS, SHORT_COUNTS = (1, 2, 4, 8), (1, 4)
MAX_RATIO = 1.5
MIN_FPS = 29.0

Results = dict[tuple[int, str], list[child.Figures]]


def run(short: bool) -> Report:
    """Short: one run of 5 s for 1 and 4 peers, else two runs of 15 s each."""
    rounds, seconds, counts = (1, 5.0, SHORT_COUNTS) if short else (2, 15.0, COUNTS)
    results: Results = {}
    for round_ in range(rounds):
        for count in counts:
            for peer in PEERS:
                print(f"round {round_ + 1} of {rounds}: {count}, {peer}", file=sys.stderr)
                results.setdefault((count, peer), []).append(_run_peer(peer, count, seconds))
    return Report("fanout", [*_figures(results, counts), _ratio(results)])


def _figures(results: Results, counts: tuple[int, ...]) -> list[Figure]:
    figures = []
    for count in counts:
        for key, name, unit, target in (
            ("cpu_percent", "sender's CPU", "% of a core", None),
            ("fps", "pictures per second, worst peer", "1/s", MIN_FPS),
            ("bitrate_kbps", "bitrate, worst peer", "kbit/s", None),
        ):
            ours, stock = (child.median(results[count, peer], key) for peer in PEERS)
            more = target is not None
            figures.append(Figure(f"{count} peers, {name}", unit, ours, {"aiortc": stock}, target, more))
    return figures


def _ratio(results: Results) -> Figure:
    """Within each round, so that a machine that is slower for a while is so for both of its runs."""
    ours, stock = (
        statistics.median(
            four["cpu_percent"] / one["cpu_percent"]
            for four, one in zip(results[4, peer], results[1, peer], strict=True)
        )
        for peer in PEERS
    )
    return Figure("sender's CPU, 4 peers / 1 peer", "", ours, {"aiortc": stock}, MAX_RATIO)


def _run_peer(peer: str, count: int, seconds: float) -> child.Figures:
    return child.run("fanout_sender", peer, str(count), str(seconds), timeout_s=seconds + 60)
