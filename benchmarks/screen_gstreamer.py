# SPDX-License-Identifier: GPL-3.0-or-later
"""`videoconvert ! ximagesink` on the same clip and display: what it and the X server take.

Its pictures come from another process as well, through GStreamer's own shared memory (shmsink and shmsrc).
"""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.child import Figures
from benchmarks.process import cpu_s
from benchmarks.scene import PICTURES
from benchmarks.screen_clip import FPS, PATTERN
from benchmarks.x_display import XDisplay, screen_environment

_SOCKET_S = 10.0


def measure(
    clip: Path,
    size: tuple[int, int],
    display: XDisplay,
    output: tuple[int, int],
    times: tuple[float, float],
) -> Figures:
    """`size` of the clip, `times` warm-up and measurement."""
    channel = clip.parent / "shm.sock"
    with _feeder(clip, size, channel):
        return _run(_source(channel, size) + _convert(size, output) + _sink(), display, times)


@contextlib.contextmanager
def _feeder(clip: Path, size: tuple[int, int], channel: Path) -> Iterator[None]:
    pipeline = ["multifilesrc", f"location={clip / PATTERN}", "loop=true", "start-index=0"]
    pipeline += [f"stop-index={PICTURES - 1}", "!", "rawvideoparse", "format=i420", f"width={size[0]}"]
    pipeline += [f"height={size[1]}", f"framerate={FPS}/1", "!", "shmsink", f"socket-path={channel}"]
    pipeline += [f"shm-size={size[0] * size[1] * 3 // 2 * 16}", "sync=true"]
    with subprocess.Popen(["gst-launch-1.0", "-q", *pipeline]) as process:
        try:
            deadline = time.monotonic() + _SOCKET_S
            while not channel.exists():
                if time.monotonic() > deadline:
                    raise RuntimeError("shmsink opened no socket")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(20)
            channel.unlink(missing_ok=True)


def _source(channel: Path, size: tuple[int, int]) -> list[str]:
    caps = f"video/x-raw,format=I420,width={size[0]},height={size[1]},framerate={FPS}/1"
    caps += ",pixel-aspect-ratio=1/1"
    return ["shmsrc", f"socket-path={channel}", "is-live=true", "do-timestamp=true", "!", caps, "!"]


def _convert(size: tuple[int, int], output: tuple[int, int]) -> list[str]:
    if size == output:
        return ["videoconvert", "!"]
    return ["videoscale", "!", f"video/x-raw,width={output[0]},height={output[1]}", "!", "videoconvert", "!"]


def _sink() -> list[str]:
    return ["fpsdisplaysink", "video-sink=ximagesink", "text-overlay=false", "sync=false", "silent=false"]


def _run(pipeline: list[str], display: XDisplay, times: tuple[float, float]) -> Figures:
    warm_up_s, seconds = times
    environment = screen_environment(display)
    with subprocess.Popen(
        ["gst-launch-1.0", "-v", *pipeline], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            time.sleep(warm_up_s)
            before = time.monotonic(), cpu_s(process.pid), cpu_s(display.server)
            time.sleep(seconds)
            after = time.monotonic(), cpu_s(process.pid), cpu_s(display.server)
        finally:
            process.terminate()
            said = process.communicate(timeout=20)[0]
    span, own, theirs = (later - earlier for later, earlier in zip(after, before, strict=True))
    averages = re.findall(r"average: (\d+\.\d+)", said)
    if not averages:
        raise RuntimeError(f"GStreamer showed nothing: {said[-2000:]}")
    return {
        "cpu_percent": 100 * own / span,
        "x_server_percent": 100 * theirs / span,
        "fps": float(averages[-1]),
    }
