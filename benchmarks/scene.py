# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture every peer of a benchmark sends, and the way to tell its frames apart."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callagent.devices.virtual import framecode

Picture = NDArray[np.uint8]

PICTURES = 30


class Scene:
    """Blocks moving over a shaded wall, with a little noise as of a camera; drawn before the run."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        chance = np.random.default_rng(1)
        shade = np.linspace(60, 190, width)[None, :] + np.linspace(-30, 30, height)[:, None]
        self._pictures = [self._draw(number, shade, chance) for number in range(PICTURES)]

    def picture(self, counter: int) -> Picture:
        """The I420 picture with this number as a new (height * 3/2, width) array, the frame code in it."""
        picture = self._pictures[counter % PICTURES].copy()
        code = framecode.FrameCode(counter % 65536, framecode.unix_ms() % framecode.CLOCK_MODULUS)
        framecode.draw(picture[: self.height], code)
        return picture

    def _draw(self, number: int, shade: NDArray[np.float64], chance: np.random.Generator) -> Picture:
        luma = shade + chance.normal(0, 1.5, shade.shape)
        size = self.height // 4
        for block, level in enumerate((30, 120, 220)):
            phase = 2 * np.pi * (number / PICTURES + block / 3)
            left = int((self.width - size) * (0.5 + 0.45 * np.cos(phase)))
            top = int((self.height - size) * (0.5 + 0.35 * np.sin(phase)))
            luma[top : top + size, left : left + size] = level
        picture = np.full((self.height * 3 // 2, self.width), 128, np.uint8)
        picture[: self.height] = np.clip(luma, 16, 235)
        return picture


@dataclass(frozen=True, slots=True)
class Arrival:
    """A decoded picture at its sink."""

    at: float
    """Seconds on the monotonic clock."""
    latency_s: float
    """Since it was captured."""
    width: int


class LatencyLog:
    """Capture and arrival times by frame counter, on one monotonic clock. Made on the loop, used anywhere."""

    def __init__(self) -> None:
        self._captured: dict[int, float] = {}
        self.arrivals: list[Arrival] = []
        """While `measuring`."""
        self._loop = asyncio.get_running_loop()
        self.first = asyncio.Event()
        self.first_at = 0.0
        self.measuring = False

    def capture(self, counter: int) -> float:
        now = self._captured[counter] = time.monotonic()
        return now

    def arrive(self, luma: Picture) -> None:
        """A decoded picture reached its sink; its luma plane as a (height, width) view."""
        now = time.monotonic()
        code = framecode.read(luma)
        if code is None:
            return
        if not self.first_at:
            self.first_at = now
            self._loop.call_soon_threadsafe(self.first.set)
        captured = self._captured.pop(code.counter, None)
        if self.measuring and captured is not None:
            self.arrivals.append(Arrival(now, now - captured, luma.shape[1]))

    def percentile_ms(self, percent: float) -> float:
        return float(np.percentile([arrival.latency_s for arrival in self.arrivals], percent)) * 1000
