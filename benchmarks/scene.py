# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture every peer of a benchmark sends, and the way to tell its frames apart."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callagent.devices.virtual import framecode

Picture = NDArray[np.uint8]

PICTURES = 60
"""Then it begins again, without a jump."""
_PAN_PX, _SWAY_PX = 60, 120
"""To either side: at most 6 and 13 pixels from picture to picture at the middle of the way."""
_COMPARED_EVERY = 31
"""Not a divisor of the scene's length: every part of it gets its turn."""
_NOISE = 1.5
"""Standard deviation of the sensor's noise, of 255."""


class Scene:
    """A camera panning over a textured wall before which somebody sways, with a sensor's noise; drawn before
    the run."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        chance = np.random.default_rng(1)
        margin = 2 * _PAN_PX
        self._walls = [
            _texture(chance, height // scale, (width + margin) // scale, middle, spread)
            for scale, middle, spread in ((1, 120, 45), (2, 122, 12), (2, 134, 12))
        ]
        self._subjects = [
            _texture(chance, height // scale, width // scale, middle, spread)
            for scale, middle, spread in ((1, 150, 25), (2, 112, 6), (2, 148, 6))
        ]
        self._noise = [chance.normal(0, _NOISE, (height, width)).astype(np.float32) for _ in range(7)]
        self._pictures = [self._draw(number) for number in range(PICTURES)]

    def picture(self, counter: int) -> Picture:
        """The I420 picture with this number as a new (height * 3/2, width) array, the frame code in it."""
        picture = self._pictures[counter % PICTURES].copy()
        code = framecode.FrameCode(counter % 65536, framecode.unix_ms() % framecode.CLOCK_MODULUS)
        framecode.draw(picture[: self.height], code)
        return picture

    def psnr_db(self, counter: int, luma: Picture) -> float:
        """How well a decoded (height, width) luma plane shows this picture, without the code's strip."""
        top = self.height // 8
        return psnr_db(luma[top:], self._pictures[counter % PICTURES][top : self.height])

    def _draw(self, number: int) -> Picture:
        phase = 2 * np.pi * number / PICTURES
        pan = round(_PAN_PX * (1 + np.sin(phase)))
        sway = round(_SWAY_PX * np.sin(2 * phase))
        planes = []
        for plane, (wall, subject) in enumerate(zip(self._walls, self._subjects, strict=True)):
            scale = 1 if plane == 0 else 2
            height, width = subject.shape
            drawn = wall[:, pan // scale : pan // scale + width].copy()
            there = _silhouette(width, height, sway // scale)
            drawn[there] = np.roll(subject, sway // scale, axis=1)[there]
            if plane == 0:
                # Seven fields, each moved on every time it comes: no picture has another's noise.
                drawn += np.roll(self._noise[number % len(self._noise)], 31 * number, axis=(0, 1))
            planes.append(np.clip(drawn, 16, 235).astype(np.uint8).ravel())
        return np.concatenate(planes).reshape(self.height * 3 // 2, self.width)


def psnr_db(luma: Picture, drawn: Picture) -> float:
    """How well a luma plane shows another of the same shape."""
    error = float(np.mean((luma.astype(np.float32) - drawn) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-3)))


def _texture(
    chance: np.random.Generator, height: int, width: int, middle: float, spread: float
) -> NDArray[np.float32]:
    """A (height, width) surface with detail of every size, finer detail being fainter, as in nature."""
    surface, size = np.zeros((height, width), np.float32), 128
    while size >= 1:
        rows, columns = -(-height // size) + 1, -(-width // size) + 1
        coarse = chance.normal(0, 1, (rows, columns)).astype(np.float32)
        surface += size**0.5 * _stretched(coarse, size)[:height, :width]
        size //= 2
    return np.asarray(middle + spread * surface / surface.std(), np.float32)


def _stretched(coarse: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Bilinear, `size` times as large but for the last row and column."""
    along = (np.arange((coarse.shape[1] - 1) * size) / size).astype(np.float32)
    down = (np.arange((coarse.shape[0] - 1) * size) / size).astype(np.float32)
    left, above = along.astype(int), down.astype(int)
    right, below = (along - left)[None, :], (down - above)[:, None]
    wide = coarse[:, left] * (1 - right) + coarse[:, left + 1] * right
    return np.asarray(wide[above] * (1 - below) + wide[above + 1] * below, np.float32)


def _silhouette(width: int, height: int, sway: int) -> NDArray[np.bool_]:
    """Head and shoulders, the middle of the picture plus `sway` pixels."""
    y, x = np.ogrid[:height, :width]
    x = (x - width / 2 - sway) / height
    y = y / height
    head = (x / 0.16) ** 2 + ((y - 0.45) / 0.22) ** 2 < 1
    shoulders = (x / 0.38) ** 2 + ((y - 1.05) / 0.38) ** 2 < 1
    return np.asarray(head | shoulders)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A decoded picture at its sink."""

    at: float
    """Seconds on the monotonic clock."""
    latency_s: float
    """Since it was captured."""
    width: int
    coding_s: float
    """Of that, in encoder and decoder; 0 where nobody says."""


class LatencyLog:
    """Capture and arrival times by frame counter, on one monotonic clock. Made on the loop, used anywhere."""

    def __init__(self, scene: Scene | None = None) -> None:
        """`scene`: to compare every 31st picture with."""
        self._scene = scene
        self._captured: dict[int, float] = {}
        self.arrivals: list[Arrival] = []
        """While `measuring`."""
        self.psnr_db: list[float] = []
        """Of luma, while `measuring`."""
        self._loop = asyncio.get_running_loop()
        self.first = asyncio.Event()
        self.first_at = 0.0
        self.measuring = False

    def capture(self, counter: int) -> float:
        now = self._captured[counter] = time.monotonic()
        return now

    def arrive(self, luma: Picture, coding_s: float = 0.0) -> None:
        """A decoded picture reached its sink; its luma plane as a (height, width) view."""
        now = time.monotonic()
        code = framecode.read(luma)
        if code is None:
            return
        if not self.first_at:
            self.first_at = now
            self._loop.call_soon_threadsafe(self.first.set)
        captured = self._captured.pop(code.counter, None)
        if not self.measuring or captured is None:
            return
        self.arrivals.append(Arrival(now, now - captured, luma.shape[1], coding_s))
        if self._scene is not None and code.counter % _COMPARED_EVERY == 0:
            self.psnr_db.append(self._scene.psnr_db(code.counter, luma))

    def percentile_ms(self, percent: float) -> float:
        return float(np.percentile([arrival.latency_s for arrival in self.arrivals], percent)) * 1000

    def beyond_coding_ms(self, percent: float) -> float:
        """The same without what encoder and decoder took for each of these pictures."""
        beyond = [arrival.latency_s - arrival.coding_s for arrival in self.arrivals]
        return float(np.percentile(beyond, percent)) * 1000
