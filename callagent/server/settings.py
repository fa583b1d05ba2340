# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service is told from outside, apart from its database and its clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from callagent.protocol.requests import SESSION_SILENCE_S
from callagent.server.calls.policy import CallPolicy, JoinPolicy
from callagent.server.ice import IceSettings
from callagent.server.limits import LimitSettings


@dataclass(frozen=True, slots=True)
class MediaServer:
    """A Janus for calls of several."""

    url: str
    """`ws://` or `wss://`, of its WebSocket transport."""
    api_secret: str | None = field(default=None, repr=False)
    capacity: int = 400
    """Peer connections it can carry."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    ice: IceSettings = field(default_factory=IceSettings)
    """For every media plan."""
    max_members: int = 9
    """Of one call, the caller included."""
    session_silence_s: float = SESSION_SILENCE_S
    """A client silent or away for this long is dropped."""
    redis_url: str | None = field(default=None, repr=False)
    """Given: this is one of several nodes."""
    policy: CallPolicy = field(default_factory=CallPolicy)
    join_policy: JoinPolicy = JoinPolicy.ANYONE
    media_servers: Sequence[MediaServer] = ()
    """None: calls of several are a mesh."""
    limits: LimitSettings = field(default_factory=LimitSettings)
    origins: Sequence[str] = ()
    """Pages of other hosts that may open the signalling; `*`: of any."""
