# SPDX-License-Identifier: Apache-2.0
"""Where a picture's and a sound's time goes between lens and screen, microphone and ear."""

from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """A part of the way, in seconds; those of one direction follow each other without gaps.

    Sent pictures: `captured` to `sent`. Received ones: `assembled` to `played`.
    """

    CAPTURED = "captured"
    """From the driver's time stamp to the camera slot: read-out of the sensor, USB, copying."""
    PICKED = "picked"
    """In the slot, until the encoder's thread takes it."""
    PREPARED = "prepared"
    """Unpacking (MJPEG, YUYV), scaling and turning."""
    ENCODED = "encoded"
    QUEUED = "queued"
    """Encoded, until the peer's sender takes it."""
    SENT = "sent"
    """Packetising, encrypting and writing all its packets, pacing included."""
    ASSEMBLED = "assembled"
    """From its first packet read to its last one: the network's spread, repetitions of lost ones included."""
    WAITED = "waited"
    """Complete, until the decoder's thread takes it: the playout delay of a trembling network too."""
    DECODED = "decoded"
    PLAYED = "played"
    """Decoded, until the screen has taken it."""


class Drop(StrEnum):
    """Why a picture or a packet was left out."""

    OUTPACED = "outpaced"
    """A newer picture came before the encoder was free."""
    THINNED = "thinned"
    """The camera gives more pictures a second than are wanted."""
    SKIPPED = "skipped"
    """The encoder's rate control left it out."""
    BACKLOG = "backlog"
    """The peer's sender was behind."""
    BEHIND = "behind"
    """The decoder was behind; it goes on with a key frame."""
    BROKEN = "broken"
    """It could not be decoded."""
    LATE = "late"
    """A newer one was shown already, or its time to sound had passed."""


class Tracer(Protocol):
    """Told by whoever finishes a stage, from any thread; costs one look at `on` while nobody asks."""

    on: bool

    def took(self, stage: Stage, seconds: float) -> None: ...

    def dropped(self, cause: Drop) -> None: ...


class Untraced:
    """A `Tracer` nobody asks."""

    on = False

    def took(self, stage: Stage, seconds: float) -> None:
        pass

    def dropped(self, cause: Drop) -> None:
        pass


UNTRACED: Tracer = Untraced()
