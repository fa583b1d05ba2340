# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service needs of one media server (SFU), whichever it is.

A *room* holds the members of one epoch of a call, a *seat* is one peer connection to a client:
a publisher's, which is known to the others by its *feed* number, or a subscriber's to one feed.
Rooms and seats outlive the connection to the server that made them, and may be claimed on another,
by another node of the service too.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from callagent.protocol.media import IceCandidate

VideoCodec = Literal["h264", "vp8"]


Keep = Callable[[], Awaitable[frozenset[str]]]
"""The names of the rooms that calls have."""


class SfuError(Exception):
    """The media server did not do it; one sentence."""


class ServerAway(SfuError):
    """It cannot be reached, or did not answer in time: what was asked may or may not have been done."""


class Refused(SfuError):
    """It answered that it will not."""


class RoomGone(Refused):
    """The room, or what holds it together, is no more."""


class FeedGone(Refused):
    """Nobody publishes under that number."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class RoomIds(_Shape):
    """All that is needed to claim a room. Stored."""

    session: int
    desk: int
    """The handle by which the room is made, asked and destroyed."""
    room: int


class Seat(_Shape):
    """A seat that was taken, and the server's half of its negotiation."""

    handle: int
    sdp: str
    mids: dict[str, str] = {}
    """Of a subscriber: the publisher's m-line ids (mid, RFC 8843) and what each is here."""


class RoomListener(Protocol):
    """Hears of one room. Its methods return at once and never raise."""

    def seat_up(self, handle: int) -> None:
        """Media can flow."""

    def seat_down(self, handle: int) -> None:
        """Its peer connection ended."""

    def back(self) -> None:
        """The server was away; what happened meanwhile was not told."""

    def gone(self, reason: str) -> None:
        """The room is no more. Nothing is told after that."""


class SfuBackend(Protocol):
    """One media server. Every method but those that return at once raises SfuError. On the event loop."""

    url: str
    """By which it is known in the stored rooms."""
    capacity: int
    """Seats it can carry."""

    @property
    def problem(self) -> str:
        """Why it takes no room now; empty: it is healthy."""

    async def start(self) -> None:
        """Returns when it answered, or it is clear that it does not at the moment."""

    async def close(self) -> None:
        """Rooms stay as they are, for whoever claims them."""

    async def create(self, name: str, listener: RoomListener) -> RoomIds: ...

    async def claim(self, room: RoomIds, listener: RoomListener) -> None:
        """Have the room from now on, whoever had it. Raises RoomGone."""

    def release(self, room: RoomIds) -> None:
        """Hear no more of it."""

    async def destroy(self, room: RoomIds) -> None: ...

    async def publish(self, room: RoomIds, feed: int, sdp: str, descriptions: dict[str, str]) -> Seat:
        """A publisher's seat for this offer; `descriptions` by mid. Raises Refused, RoomGone."""

    async def subscribe(self, room: RoomIds, feed: int, mids: Sequence[str]) -> Seat:
        """A subscriber's seat with an offer of these m-lines of a feed that is up. Raises FeedGone."""

    async def answer(self, room: RoomIds, handle: int, sdp: str) -> None:
        """What the subscriber said to the offer."""

    async def candidate(self, room: RoomIds, handle: int, candidate: IceCandidate) -> None: ...

    async def switch(self, room: RoomIds, handle: int, own_mid: str, feed: int, mid: str) -> None:
        """From now on, `own_mid` of a subscriber gets this m-line of the feed, from a key frame on."""

    async def pause(self, room: RoomIds, handle: int, own_mid: str) -> None:
        """`own_mid` gets nothing, until it is switched."""

    async def feeds(self, room: RoomIds) -> frozenset[int]:
        """Those that are up."""

    async def kick(self, room: RoomIds, handle: int) -> None:
        """End a seat; without effect when there is none."""

    async def sweep(self, keep: Keep) -> list[str]:
        """Destroy the service's rooms but those to be kept; the names of those destroyed.

        `keep` is asked after the rooms were, lest one that was just made is missing from it.
        """
