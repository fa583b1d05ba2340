# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that left together, and how much later than its forerunner each such group arrived."""

from dataclasses import dataclass

BURST_S = 0.005
"""Packets sent within this time are one group (draft-ietf-rmcat-gcc-02, section 5.2)."""
_MAX_BURST_S = 0.1
_CLOCK_JUMP_S = 3.0
_REORDERED_GROUPS = 3


@dataclass(frozen=True, slots=True)
class GroupDelta:
    """One group compared with the one before it."""

    sent_s: float
    arrived_s: float
    arrived_at: float
    """When the group was complete, on the receiver's clock."""

    @property
    def delay_s(self) -> float:
        """How much longer than its forerunner the group was under way."""
        return self.arrived_s - self.sent_s


@dataclass(slots=True)
class _Group:
    first_sent: float
    last_sent: float
    first_arrived: float
    complete_at: float
    heard_at: float


class PacketGroups:
    """Makes groups of packets, as libwebrtc's inter-arrival filter does."""

    def __init__(self) -> None:
        self._current: _Group | None = None
        self._previous: _Group | None = None
        self._reordered = 0

    def add(self, sent_at: float, arrived_at: float, now: float) -> GroupDelta | None:
        """A packet, in the order of sending; gives a delta when it opens the group after next.

        `now` is the sender's clock when it was told; it unmasks jumps of the receiver's clock.
        """
        group = self._current
        if group is None:
            self._open(sent_at, arrived_at, now)
            return None
        if sent_at < group.first_sent:
            return None
        if self._belongs(group, sent_at, arrived_at):
            group.last_sent = max(group.last_sent, sent_at)
            group.complete_at = max(group.complete_at, arrived_at)
            group.heard_at = now
            return None
        delta = None if self._previous is None else self._compare(self._previous, group)
        if self._current is None:  # the comparison failed for good
            self._open(sent_at, arrived_at, now)
            return None
        self._previous = group
        self._open(sent_at, arrived_at, now)
        return delta

    def _open(self, sent_at: float, arrived_at: float, now: float) -> None:
        self._current = _Group(sent_at, sent_at, arrived_at, arrived_at, now)

    @staticmethod
    def _belongs(group: _Group, sent_at: float, arrived_at: float) -> bool:
        if sent_at - group.first_sent <= BURST_S:
            return True
        # What piled up somewhere and came at once says nothing of the queue before.
        since_complete = arrived_at - group.complete_at
        faster = since_complete < sent_at - group.last_sent
        return faster and since_complete <= BURST_S and arrived_at - group.first_arrived < _MAX_BURST_S

    def _compare(self, before: _Group, group: _Group) -> GroupDelta | None:
        arrived_s = group.complete_at - before.complete_at
        heard_s = group.heard_at - before.heard_at
        if arrived_s - heard_s >= _CLOCK_JUMP_S:
            self._forget()
            return None
        if arrived_s < 0:
            self._reordered += 1
            if self._reordered >= _REORDERED_GROUPS:
                self._forget()
            return None
        self._reordered = 0
        return GroupDelta(group.last_sent - before.last_sent, arrived_s, group.complete_at)

    def _forget(self) -> None:
        self._current = self._previous = None
        self._reordered = 0
