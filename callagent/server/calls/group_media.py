# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between the state of calls and the media server that carries those of several."""

from typing import Literal, Protocol

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.media import LinkMessage
from callagent.server.calls.model import Call

Layer = Literal["h", "l", "off"]
"""The large picture, the small one, none."""


class GroupMedia(Protocol):
    """Where the media of calls with several members runs, if the operator has a media server.

    Used on the event loop. The state of a call only says that its placement is `sfu`; the links there
    are told to the members by plans of the same epoch, as they come and go.
    """

    @property
    def available(self) -> bool:
        """Whether a healthy media server would take another call now."""

    async def follow(self, call: Call) -> None:
        """`call` was committed: make, keep or remove its room and its members' seats.

        Returns at once and raises nothing: the work is done, and tried again, in a task of its own.
        """

    async def message(self, call: Call, session_id: str, to: str, media: LinkMessage) -> None:
        """From a connected session to one of its links. Raises PEER_UNREACHABLE."""

    async def view(self, call: Call, session_id: str, user_id: str, layer: Layer) -> None:
        """What a connected session wants of another member from now on."""


class NoGroupMedia:
    """No media server: calls of several are a mesh."""

    available = False

    async def follow(self, call: Call) -> None:
        """Nothing follows."""

    async def message(self, call: Call, session_id: str, to: str, media: LinkMessage) -> None:
        raise CallAgentError(ErrorCode.PEER_UNREACHABLE, "That session is not in the call", "to")

    async def view(self, call: Call, session_id: str, user_id: str, layer: Layer) -> None:
        """Between members nothing is chosen."""
