# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen's software painter: a 1280x720 clip at 30 pictures a second on displays of two sizes under Xvfb.

Pictures come from another process over the frame channel, as from the agent. GStreamer's `videoconvert !
ximagesink` shows the same clip on the same display in turns with ours. Figures are medians.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import child, screen_clip, screen_gstreamer
from benchmarks.report import Figure, Report
from benchmarks.x_display import XDisplay, screen_environment, x_display

CLIP = (1280, 720)
TARGETS = {(1280, 720): 12.0, (1920, 1080): 35.0}
"""Per cent of a core for the process, by the display's size."""
PEER = "ximagesink"
SOFTWARE = {"QT_QPA_PLATFORM": "xcb", "QT_QUICK_BACKEND": "software", "QSG_RENDER_LOOP": "basic"}


def run(short: bool) -> Report:
    """Short: one run of 4 s each, else three of 10 s, after two for warming up."""
    rounds, times = (1, (2.0, 4.0)) if short else (3, (2.0, 10.0))
    peers = (PEER,) if _has_peer() else ()
    results: dict[tuple[int, int], dict[str, list[child.Figures]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip"
        clip.mkdir()
        screen_clip.write(clip, *CLIP)
        for size in TARGETS:
            found = results.setdefault(size, {"ours": [], **{peer: [] for peer in peers}})
            with x_display(size, Path(folder)) as display:
                for round_ in range(rounds):
                    print(f"round {round_ + 1} of {rounds}: {size[0]}x{size[1]}", file=sys.stderr)
                    found["ours"].append(_ours(clip, Path(folder), display, size, times))
                    if peers:
                        found[PEER].append(screen_gstreamer.measure(clip, CLIP, display, size, times))
    return Report("screen", [figure for size, found in results.items() for figure in _figures(size, found)])


def _has_peer() -> bool:
    inspect = shutil.which("gst-inspect-1.0")
    return inspect is not None and subprocess.run([inspect, "--exists", PEER], check=False).returncode == 0


def _figures(size: tuple[int, int], found: dict[str, list[child.Figures]]) -> list[Figure]:
    no_more = {PEER: 1.0}
    figures = [
        (
            "cpu_percent",
            Figure("CPU of the painter", "% of a core", 0.0, target=TARGETS[size], at_most=no_more),
        ),
        ("x_server_percent", Figure("CPU of the X server meanwhile", "% of a core", 0.0)),
        ("fps", Figure("pictures shown", "1/s", 0.0, target=29.0, more_is_better=True)),
        ("p50_ms", Figure("put to drawn p50", "ms", 0.0, target=20.0)),
        ("p95_ms", Figure("put to drawn p95", "ms", 0.0)),
        ("resident_mb", Figure("memory", "MB", 0.0)),
    ]
    prefix = f"720p30 on {size[0]}x{size[1]}:"
    return [figure.measured(prefix, child.medians(found, key)) for key, figure in figures]


def _ours(
    clip: Path, folder: Path, display: XDisplay, size: tuple[int, int], times: tuple[float, float]
) -> child.Figures:
    """Raises subprocess.CalledProcessError and TimeoutExpired."""
    socket_path = folder / "frames.sock"
    arguments = map(str, (socket_path, *size, *times, display.server))
    with _feeder(socket_path, clip):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.screen_window", *arguments],
            env=screen_environment(display) | SOFTWARE,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60 + sum(times),
        )
    figures: child.Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


@contextlib.contextmanager
def _feeder(socket_path: Path, clip: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.screen_feeder", str(socket_path), str(clip), *map(str, CLIP)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


if __name__ == "__main__":
    print(run("--short" in sys.argv).table())
