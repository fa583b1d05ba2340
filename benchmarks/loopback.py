# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture to decoded picture over loopback, 1280x720 at 30 pictures a second: ours, stock aiortc, GStreamer's
webrtcbin and Chromium.

Every run is a process of its own, both ends in it; the peers take turns, so that
what else the machine does falls on all; figures are medians over the runs.
Targets: the project's anchors for performance (latency and time to the first picture).
"""

import json
import statistics
import subprocess
import sys

from benchmarks.report import Figure, Report

CODECS = ("H264", "VP8")
PEERS = ("ours", "aiortc", "webrtcbin", "chromium")
SHORT_PEERS = ("ours", "aiortc")
FIGURES = (
    ("p50_ms", "latency p50", "ms", 15.0, False),
    ("p95_ms", "latency p95", "ms", 25.0, False),
    ("first_frame_ms", "first picture after createOffer", "ms", 150.0, False),
    ("cpu_percent", "CPU, both ends", "% of a core", None, False),
    ("fps", "pictures per second", "1/s", 29.0, True),
    ("bitrate_kbps", "bitrate", "kbit/s", None, False),
)


def run(short: bool) -> Report:
    """Short: one run of 5 s each of ours and aiortc, else five runs of 15 s each."""
    rounds, seconds, peers = (1, 5.0, SHORT_PEERS) if short else (5, 15.0, PEERS)
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    for round_ in range(rounds):
        for codec in CODECS:
            for peer in peers:
                print(f"round {round_ + 1} of {rounds}: {codec}, {peer}", file=sys.stderr)
                results.setdefault((codec, peer), []).append(_run_peer(peer, codec, seconds))
    figures = []
    for codec in CODECS:
        for key, name, unit, target, more_is_better in FIGURES:
            medians = {peer: statistics.median(run[key] for run in results[codec, peer]) for peer in peers}
            ours = medians.pop("ours")
            figures.append(Figure(f"{codec} {name}", unit, ours, medians, target, more_is_better))
    return Report("loopback", figures)


def _run_peer(peer: str, codec: str, seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.loopback_peer", peer, codec, str(seconds)]
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=seconds + 60
    ).stdout
    figures: dict[str, float] = json.loads(output)
    return figures
