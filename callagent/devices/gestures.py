# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does with one button or switch. Pure: time is an argument, in seconds."""

from enum import StrEnum

HOLD_S = 2.0
DOUBLE_S = 0.35
"""Longest pause between the two presses of a double one."""


class Gesture(StrEnum):
    SHORT = "short"
    LONG = "long"
    """As soon as it was held for long enough, not at its end."""
    DOUBLE = "double"
    """At the second press."""


class Debounce:
    """A switch, whose level is what counts: told at once at the start, then when it stood for `debounce_s`.

    Used as `Gestures` is.
    """

    def __init__(self, debounce_s: float) -> None:
        self._debounce_s = debounce_s
        self._raw: bool | None = None
        self._raw_since = 0.0
        self._closed: bool | None = None

    @property
    def known(self) -> bool:
        """It was told how the contact stands."""
        return self._raw is not None

    @property
    def since(self) -> float:
        """When the contact last changed."""
        return self._raw_since

    @property
    def next_due(self) -> float | None:
        return self._raw_since + self._debounce_s if self._raw != self._closed else None

    def feed(self, closed: bool, now: float) -> list[bool]:
        """The contact is closed (or open) since `now`."""
        found = self.tick(now)
        if self._raw is None:
            self._raw = self._closed = closed
            return [closed]
        if closed != self._raw:
            self._raw, self._raw_since = closed, now
        return found + self.tick(now)

    def tick(self, now: float) -> list[bool]:
        """Time has passed."""
        due = self.next_due
        if due is None or now < due or self._raw is None:
            return []
        self._closed = self._raw
        return [self._closed]


class Gestures:
    """Debounces one button and says what was done with it.

    `feed` every change, and call `tick` no later than `next_due`: a change counts when it stood for
    `debounce_s`. A press that began before the first `feed` of a released button says nothing.
    A short press is told at its end; where double ones mean something, only when no second followed.
    """

    def __init__(
        self, *, hold_s: float = HOLD_S, double_s: float = DOUBLE_S, debounce_s: float = 0.0, double: bool
    ) -> None:
        """`double`: whether double presses mean anything for this button."""
        self._hold_s, self._double_s = hold_s, double_s
        self._double = double
        self._contact = Debounce(debounce_s)
        self._silent = False
        """The press under way has said all it has to say."""
        self._held_at: float | None = None
        """When the press under way becomes a long one."""
        self._single_at: float | None = None
        """When a single press is certain to stay single."""

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to say; None while only a change can."""
        dues = (self._contact.next_due, self._held_at, self._single_at)
        return min((due for due in dues if due is not None), default=None)

    def feed(self, down: bool, now: float) -> list[Gesture]:
        """The button's contact is closed (or open) since `now`."""
        found = self.tick(now)
        known, settled = self._contact.known, self._contact.feed(down, now)
        if not known:
            # How it stands at the start is no change.
            self._silent = down
            return found
        return found + self._settle(settled)

    def tick(self, now: float) -> list[Gesture]:
        """Time has passed."""
        found: list[Gesture] = []
        while (due := self.next_due) is not None and due <= now:
            if due == self._contact.next_due:
                found += self._settle(self._contact.tick(due))
            elif due == self._held_at:
                self._held_at, self._silent = None, True
                self._single_at = None
                found.append(Gesture.LONG)
            else:
                self._single_at = None
                found.append(Gesture.SHORT)
        return found

    def _settle(self, changes: list[bool]) -> list[Gesture]:
        return [gesture for down in changes for gesture in (self._pressed() if down else self._released())]

    def _pressed(self) -> list[Gesture]:
        self._held_at = self._contact.since + self._hold_s
        self._silent = self._single_at is not None
        if self._single_at is not None:
            self._single_at = None
            return [Gesture.DOUBLE]
        return []

    def _released(self) -> list[Gesture]:
        was_press, self._held_at = self._held_at is not None, None
        if not was_press or self._silent:
            self._silent = False
            return []
        if not self._double:
            return [Gesture.SHORT]
        self._single_at = self._contact.since + self._double_s
        return []
