# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to a slot, and when: for status, for tests and for whoever looks for a bad cable."""

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum

_KEPT = 64


class SlotEvent(StrEnum):
    OPENING = "opening"
    LIVE = "live"
    """The first frame of a device, or of one that had stalled."""
    LOST = "lost"
    """The device vanished or failed."""
    STALLED = "stalled"
    """The device seemed alive and gave nothing."""
    REFUSED = "refused"
    """A device that was to take over failed before its first frame; the one before goes on."""
    FILLED = "filled"
    """The first slate in a lost device's place."""
    SWAPPED = "swapped"
    """Another device took over without a gap."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class SlotMoment:
    """One line of a slot's history."""

    time: float
    """Seconds on the monotonic clock."""
    event: SlotEvent
    device: str
    """The id of the device it is about; empty for none."""


class SlotLog:
    """The last moments of a slot and how often each kind happened. Used under the slot's lock."""

    def __init__(self) -> None:
        self.moments: deque[SlotMoment] = deque(maxlen=_KEPT)
        self.counts: Counter[SlotEvent] = Counter()
        self.last_gap_s: float | None = None
        """From the last loss or stall to the first frame after it, whichever device gave it."""
        self._lost_at: float | None = None

    def recent(self, count: int) -> list[SlotMoment]:
        """The newest moments, oldest first. From any thread."""
        return list(self.moments)[-count:]

    def note(self, now: float, event: SlotEvent, device: str | None) -> None:
        self.moments.append(SlotMoment(now, event, device or ""))
        self.counts[event] += 1
        if event in (SlotEvent.LOST, SlotEvent.STALLED):
            self._lost_at = self._lost_at or now
        elif event is SlotEvent.LIVE and self._lost_at is not None:
            self.last_gap_s = now - self._lost_at
            self._lost_at = None
        elif event is SlotEvent.STOPPED:
            self._lost_at = None
