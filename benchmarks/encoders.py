# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoders at 1280x720, 30 pictures a second, 1.5 Mbit/s: every one that passes its probe on this machine.

Each run is a process of its own; encoders take turns, so that what else the machine does falls on all;
figures are medians. The encoder in use is `ours`, the others stand beside it. The last figure is the CPU
time of a sender without encoder, the camera's own H.264 passed through, over that of one with it.
"""

import statistics
import sys

from benchmarks import child
from benchmarks.report import Figure, Report
from callagent.media.encoders.base import EncoderSettings
from callagent.media.encoders.probing import probe
from callagent.media.encoders.registry import KINDS

WIDTH, HEIGHT, FPS, BPS = 1280, 720, 30, 1_500_000
OURS = "libx264"
X264_PRESETS = ("veryfast", "superfast", "ultrafast")
FIGURES = (
    ("fps", "pictures a second, one after the other", "1/s", True),
    ("cpu_ms", "CPU for each picture", "ms", False),
    ("psnr_db", "PSNR of luma", "dB", True),
    ("kbps", "bitrate", "kbit/s", False),
)
PASSTHROUGH_TARGET = 0.25


def run(short: bool) -> Report:
    """Short: one run of 60 pictures each, else five of 300; the senders run 4 s, else 15 s."""
    rounds, pictures, seconds = (1, 60, 4.0) if short else (5, 300, 15.0)
    variants = _variants()
    results: dict[str, list[child.Figures]] = {}
    for round_ in range(rounds):
        for variant in variants:
            print(f"round {round_ + 1} of {rounds}: {variant}", file=sys.stderr)
            results.setdefault(variant, []).append(_run("encode", variant, str(pictures)))
        for sender in ("software", "camera"):
            print(f"round {round_ + 1} of {rounds}: sender, {sender}", file=sys.stderr)
            results.setdefault(f"sender {sender}", []).append(_run("send", sender, str(seconds)))
    first, *others = variants
    figures = []
    for key, name, unit, more_is_better in FIGURES:
        peers = {variant: child.median(results[variant], key) for variant in others}
        ours = child.median(results[first], key)
        figures.append(Figure(f"720p30 {name}", unit, ours, peers, None, more_is_better))
    figures += _sender_figures(results)
    return Report("encoders", figures)


def _sender_figures(results: dict[str, list[child.Figures]]) -> list[Figure]:
    camera, software = results["sender camera"], results["sender software"]
    ratio = statistics.median(
        one["cpu_percent"] / other["cpu_percent"] for one, other in zip(camera, software, strict=True)
    )
    peers = {OURS: child.median(software, "cpu_percent")}
    return [
        Figure(
            "sender CPU, camera passed through", "% of a core", child.median(camera, "cpu_percent"), peers
        ),
        Figure("sender CPU, passed through / encoded", "ratio", ratio, {}, PASSTHROUGH_TARGET),
        Figure(
            "pictures passed through unchanged",
            "share",
            min(result["identical"] for result in camera),
            {},
            1.0,
            more_is_better=True,
        ),
        Figure(
            "pictures sent, passed through",
            "1/s",
            child.median(camera, "fps"),
            {OURS: child.median(software, "fps")},
            29.0,
            more_is_better=True,
        ),
    ]


def _variants() -> list[str]:
    """`NAME` or `NAME:preset`, the one in use first."""
    verdicts = probe(list(KINDS), EncoderSettings(WIDTH, HEIGHT, FPS, BPS))
    names = [verdict.name for verdict in verdicts if verdict.ok]
    presets = [f"{OURS}:{preset}" for preset in X264_PRESETS]
    return [*presets, *(name for name in names if name != OURS)]


def _run(*arguments: str) -> child.Figures:
    return child.run("encoders_run", *arguments, timeout_s=180)
