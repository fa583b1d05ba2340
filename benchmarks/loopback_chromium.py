# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium, page to itself: the scene as its camera, two RTCPeerConnections in one page.

Latency runs from the camera's track to the decoded picture as MediaStreamTrackProcessor gives them, before
anything is drawn. Void unless it decodes the full size at 28 pictures a second.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import process
from benchmarks.loopback_peer import FIRST_FRAME_TIMEOUT_S, FPS, HEIGHT, WARM_UP_S, WIDTH, Result
from benchmarks.scene import PICTURES, Scene
from tests.browser.chromium import chromium

CLIP_PICTURES = 2 * PICTURES
"""Four seconds, then it begins again: no picture takes so long."""
BITRATE_BPS = 1_500_000
MIN_FPS = 28.0
SETTLE_S = 5.0
"""Its bandwidth estimate has found the rate by then."""
_PAGE = "https://benchmark.example/"
_SCRIPT = Path(__file__).with_suffix(".js")


class Void(Exception):
    """Chromium did not send what it was to be compared with."""


async def measure(codec: str, seconds: float) -> Result:
    """Raises FileNotFoundError without Chromium, Void when it fell short."""
    with tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        clip = _clip(Path(folder) / "scene.y4m")
        async with chromium(clip=clip) as browser:
            page = await browser.page()
            # Cameras are for secure origins only.
            await page.route(
                _PAGE, lambda route: route.fulfill(content_type="text/html", body="<!doctype html>")
            )
            await page.goto(_PAGE)
            await page.evaluate(_SCRIPT.read_text())
            first_frame_ms = await page.evaluate(
                "([codec, bps, timeout]) => loopback.start(codec, bps, timeout)",
                [codec, BITRATE_BPS, 1000 * FIRST_FRAME_TIMEOUT_S],
            )
            await asyncio.sleep(WARM_UP_S + SETTLE_S)
            await page.evaluate("loopback.reset()")
            cpu, wall = process.descendants_cpu_s(), time.monotonic()
            await asyncio.sleep(seconds)
            found: dict[str, Any] = await page.evaluate("loopback.figures()")
            cpu, wall = process.descendants_cpu_s() - cpu, time.monotonic() - wall
    return _result(found, first_frame_ms, cpu, wall)


def _result(found: dict[str, Any], first_frame_ms: float, cpu_s: float, wall_s: float) -> Result:
    latencies = found["latencies"]
    fps = len(latencies) / wall_s
    if fps < MIN_FPS or (found["width"], found["height"]) != (WIDTH, HEIGHT):
        raise Void(f"Chromium: {found['width']}x{found['height']} at {fps:.1f} pictures a second")
    return Result(
        p50_ms=float(np.percentile(latencies, 50)),
        p95_ms=float(np.percentile(latencies, 95)),
        first_frame_ms=first_frame_ms,
        cpu_percent=100 * cpu_s / wall_s,
        fps=fps,
        bitrate_kbps=found["bytes"] * 8 / wall_s / 1000,
    )


def _clip(path: Path) -> Path:
    scene = Scene(WIDTH, HEIGHT)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for counter in range(CLIP_PICTURES):
            file.write(b"FRAME\n" + scene.picture(counter).tobytes())
    return path
