# SPDX-License-Identifier: GPL-3.0-or-later
"""How good the network is, as one number for people."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from callagent.protocol.enums import NetworkQuality

LOOK_INTERVAL_S = 2.0

_LIMITS = (
    (NetworkQuality.EXCELLENT, 0.01, 0.10),
    (NetworkQuality.GOOD, 0.03, 0.20),
    (NetworkQuality.POOR, 0.08, 0.35),
    (NetworkQuality.BAD, 0.15, 0.60),
    (NetworkQuality.VERY_BAD, 0.40, 1.50),
)
"""The worst each may be: share of packets lost, round trip in seconds. Beyond speech is hardly understood."""

Figures = Mapping[str, float | int | str]
"""As `MediaSession.statistics` gives them."""


def grade(lost: float, round_trip_s: float) -> NetworkQuality:
    """Of one direction; `lost` from 0 to 1."""
    for quality, most_lost, longest_s in _LIMITS:
        if lost <= most_lost and round_trip_s <= longest_s:
            return quality
    return NetworkQuality.DOWN


class QualityMeter:
    """Compares the figures of a call's connections from look to look. Pure."""

    def __init__(self) -> None:
        self._received: dict[str, int] = {}
        self._lost: dict[str, int] = {}
        self._told: dict[str, NetworkQuality] = {}

    def look(self, own_user_id: str, connections: Mapping[str, Figures]) -> dict[str, NetworkQuality] | None:
        """Of oneself what one sends, of the others what comes from them; None while nothing has changed."""
        grades = {user: self._from(user, figures) for user, figures in connections.items()}
        if connections:
            grades[own_user_id] = max(_towards(figures) for figures in connections.values())
        self._received = {user: _received(figures) for user, figures in connections.items()}
        self._lost = {user: _lost(figures) for user, figures in connections.items()}
        if grades == self._told:
            return None
        self._told = grades
        return grades

    def _from(self, user: str, figures: Figures) -> NetworkQuality:
        if figures.get("state") != "connected":
            return NetworkQuality.DOWN
        received = _received(figures) - self._received.get(user, 0)
        # Packets that come late make the count of the lost fall.
        lost = max(0, _lost(figures) - self._lost.get(user, 0))
        if received <= 0:
            return NetworkQuality.DOWN if user in self._received else NetworkQuality.UNKNOWN
        return grade(lost / (received + lost), _round_trip_s(figures))


class QualityWatch:
    """Looks every two seconds and tells of changes. Used on the loop."""

    def __init__(
        self,
        own_user_id: str,
        connections: Callable[[], Awaitable[Mapping[str, Figures]]],
        tell: Callable[[dict[str, NetworkQuality]], None],
    ) -> None:
        """`connections`: the figures of the present call's, by user; none without a call."""
        self._own_user_id = own_user_id
        self._connections = connections
        self._tell = tell
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="network quality")

    async def close(self) -> None:
        """Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        meter = QualityMeter()
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            connections = await self._connections()
            if not connections:
                meter = QualityMeter()
            elif grades := meter.look(self._own_user_id, connections):
                self._tell(grades)


def _towards(figures: Figures) -> NetworkQuality:
    """What the other side says of what it gets."""
    if figures.get("state") != "connected":
        return NetworkQuality.DOWN
    said = [
        float(figures[name])
        for name in ("audio_remote_fraction_lost", "video_remote_fraction_lost")
        if name in figures
    ]
    return grade(max(said), _round_trip_s(figures)) if said else NetworkQuality.UNKNOWN


def _received(figures: Figures) -> int:
    return int(figures.get("audio_packets_received", 0)) + int(figures.get("video_packets_received", 0))


def _lost(figures: Figures) -> int:
    return int(figures.get("audio_packets_lost", 0)) + int(figures.get("video_packets_lost", 0))


def _round_trip_s(figures: Figures) -> float:
    return float(figures.get("round_trip_s", 0.0))
