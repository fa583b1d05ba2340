# SPDX-License-Identifier: GPL-3.0-or-later
"""`videoconvert ! ximagesink` on the same clip and display: what it and the X server take, the source apart.

The source, reading one file for each picture, runs by itself as well and is taken off: ours has its pictures
from shared memory.
"""

import os
import re
import subprocess
import time
from pathlib import Path

from benchmarks.child import Figures
from benchmarks.process import cpu_s
from benchmarks.scene import PICTURES
from benchmarks.screen_clip import FPS, PATTERN

_COUNTED = re.compile(r"rendered: (\d+), dropped: (\d+)")


def measure(
    clip: Path,
    size: tuple[int, int],
    display: tuple[str, int],
    output: tuple[int, int],
    times: tuple[float, float],
) -> Figures:
    """`size` of the clip, `display` its name and its server's process, `times` warm-up and measurement."""
    shown = _run(_source(clip, size) + _convert(size, output) + _sink("ximagesink"), display, times)
    source = _run(_source(clip, size) + _sink("fakesink"), display, times)
    return {
        "cores": shown["cores"] - source["cores"],
        "x_server_cores": shown["x_server_cores"],
        "fps": shown["fps"],
        "source_cores": source["cores"],
    }


def _source(clip: Path, size: tuple[int, int]) -> list[str]:
    return [
        "multifilesrc",
        f"location={clip / PATTERN}",
        "loop=true",
        "start-index=0",
        f"stop-index={PICTURES - 1}",
        "!",
        "rawvideoparse",
        "format=i420",
        f"width={size[0]}",
        f"height={size[1]}",
        f"framerate={FPS}/1",
        "!",
    ]


def _convert(size: tuple[int, int], output: tuple[int, int]) -> list[str]:
    if size == output:
        return ["videoconvert", "!"]
    return ["videoscale", "!", f"video/x-raw,width={output[0]},height={output[1]}", "!", "videoconvert", "!"]


def _sink(name: str) -> list[str]:
    return ["fpsdisplaysink", f"video-sink={name}", "text-overlay=false", "sync=true", "silent=false"]


def _run(pipeline: list[str], display: tuple[str, int], times: tuple[float, float]) -> Figures:
    name, server = display
    warm_up_s, seconds = times
    environment = os.environ | {"DISPLAY": name}
    with subprocess.Popen(
        ["gst-launch-1.0", "-v", *pipeline], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            time.sleep(warm_up_s)
            before = time.monotonic(), cpu_s(process.pid), cpu_s(server)
            time.sleep(seconds)
            after = time.monotonic(), cpu_s(process.pid), cpu_s(server)
        finally:
            process.terminate()
            said = process.communicate(timeout=20)[0]
    span, own, theirs = (later - earlier for later, earlier in zip(after, before, strict=True))
    counts = [tuple(map(int, found)) for found in _COUNTED.findall(said)]
    if not counts:
        raise RuntimeError(f"GStreamer showed nothing: {said[-2000:]}")
    rendered, dropped = counts[-1]
    return {
        "cores": own / span,
        "x_server_cores": theirs / span,
        "fps": FPS * rendered / max(1, rendered + dropped),
    }
