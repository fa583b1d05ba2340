# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture to decoded picture over loopback, 1280x720 at 30 pictures a second: ours, stock aiortc, GStreamer's
webrtcbin and Chromium.

Every run is a process of its own, both ends in it; the peers take turns, so that
what else the machine does falls on all; figures are medians over the runs. Every peer follows its own
rate control first. What their processors do is compared at equal rate and equal quality: stock aiortc at
a rate that is pinned, ours with the effort whose pictures are as good as its, webrtcbin with our settings.
Targets: the project's anchors for performance (latency and time to the first picture).
"""

import sys
from collections.abc import Callable

from benchmarks import child
from benchmarks.loopback_peer import USUAL_EFFORT
from benchmarks.report import Figure, Report

ROUNDS = 3
CODECS = ("H264", "VP8")
PEERS = ("ours", "aiortc", "webrtcbin", "chromium")
SHORT_PEERS = ("ours", "aiortc")
LATENCY_RATIOS = {"chromium": 1.0, "webrtcbin": 1.0}
FIGURES = {
    "p50_ms": Figure("latency p50", "ms", 0, target=15.0, at_most={"aiortc": 0.30} | LATENCY_RATIOS),
    "p95_ms": Figure("latency p95", "ms", 0, target=25.0, at_most={"aiortc": 0.40} | LATENCY_RATIOS),
    "beyond_p50_ms": Figure("latency without coding p50", "ms", 0, target=3.0),
    "beyond_p95_ms": Figure("latency without coding p95", "ms", 0, target=8.0),
    "first_frame_ms": Figure(
        "first picture after createOffer", "ms", 0, target=150.0, at_most={"aiortc": 1.0}
    ),
    "cpu_percent": Figure("CPU, both ends", "% of a core", 0),
    "fps": Figure("pictures per second", "1/s", 0, target=29.0, more_is_better=True),
    "bitrate_kbps": Figure("bitrate", "kbit/s", 0),
    "psnr_db": Figure("PSNR of luma", "dB", 0, more_is_better=True),
}
EQUAL_BPS = 1_500_000
EFFORTS = {
    "H264": ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium"),
    "VP8": ("-12", "-10", "-8", "-7", "-6", "-5", "-4"),
}
"""From the least work to the most."""
SAME_DB = 0.3

Coded = tuple[str, str | None, int]
"""A peer, its effort (None: its own) and its rate in bit/s."""


def run(short: bool) -> Report:
    """Short: one run of 5 s each of ours and aiortc as they are, else three of 15 s, and what is equal."""
    rounds, seconds, peers = (1, 5.0, SHORT_PEERS) if short else (ROUNDS, 15.0, PEERS)
    results: dict[str, dict[str, list[child.Figures]]] = {codec: {} for codec in CODECS}
    for round_ in range(rounds):
        for codec in CODECS:
            for peer in peers:
                print(f"round {round_ + 1} of {rounds}: {codec}, {peer}", file=sys.stderr)
                results[codec].setdefault(peer, []).append(_run_peer(peer, codec, seconds))
    figures = []
    for codec in CODECS:
        for key, figure in FIGURES.items():
            figures.append(figure.measured(codec, child.medians(results[codec], key)))
        if not short:
            figures += _equal(codec, seconds)
    return Report("loopback", figures)


def _equal(codec: str, seconds: float) -> list[Figure]:
    """CPU with equal rate and quality: aiortc and ours, then webrtcbin and ours with equal settings."""

    def bare(peer: str, effort: str | None, bps: int) -> child.Figures:
        print(f"{codec} at {bps / 1000:.0f} kbit/s: {peer}, {effort or 'its own effort'}", file=sys.stderr)
        return _run_peer(peer, codec, seconds, bps, effort)

    stock = bare("aiortc", None, EQUAL_BPS)
    # Its encoder does not keep strictly to what it is told; ours does.
    bps = round(stock["bitrate_kbps"] * 1000)
    effort = _as_good(codec, stock, lambda effort: bare("ours", effort, bps))
    usual = USUAL_EFFORT[codec]
    comparisons: dict[str, tuple[Coded, Coded, float]] = {
        f"as good as aiortc ({effort})": (("ours", effort, bps), ("aiortc", None, EQUAL_BPS), 0.70),
        f"same settings as webrtcbin ({usual})": (
            *(("ours", usual, EQUAL_BPS), ("webrtcbin", usual, EQUAL_BPS)),
            1.1,
        ),
    }
    results: dict[str, dict[str, list[child.Figures]]] = {how: {} for how in comparisons}
    for _ in range(ROUNDS):
        for how, (ours, other, _) in comparisons.items():
            for each in (ours, other):
                results[how].setdefault(each[0], []).append(bare(*each))
    figures = []
    for how, (_, (peer, *_), ratio) in comparisons.items():
        for key, name, unit, at_most in (
            ("cpu_percent", "CPU", "% of a core", {peer: ratio}),
            ("psnr_db", "PSNR", "dB", {}),
            ("bitrate_kbps", "bitrate", "kbit/s", {}),
        ):
            figure = Figure(f"{how}: {name}", unit, 0, at_most=at_most)
            figures.append(figure.measured(codec, child.medians(results[how], key)))
    return figures


def _as_good(codec: str, stock: child.Figures, measure: Callable[[str], child.Figures]) -> str:
    """The least effort whose pictures are not worse by more than what counts as equal; else the best one."""
    found = {}
    for effort in EFFORTS[codec]:
        psnr_db = found[effort] = measure(effort)["psnr_db"]
        print(f"{codec} {effort}: {psnr_db:.2f} dB, aiortc {stock['psnr_db']:.2f} dB", file=sys.stderr)
        if psnr_db >= stock["psnr_db"] - SAME_DB:
            return effort
    return max(found, key=lambda effort: found[effort])


def _run_peer(
    peer: str, codec: str, seconds: float, bps: int | None = None, effort: str | None = None
) -> child.Figures:
    options = [f"--bps={bps}"] if bps is not None else []
    options += [f"--effort={effort}"] if effort is not None else []
    return child.run("loopback_peer", peer, codec, str(seconds), *options, timeout_s=seconds + 60)
