# SPDX-License-Identifier: GPL-3.0-or-later
"""How media finds its way through networks: STUN and TURN servers."""

from typing import Annotated

from pydantic import Field, StringConstraints

from callagent.config.base import Section, Text

# RFC 7064 and RFC 7065: scheme, host (IPv6 in brackets), optional port.
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?"
StunUrl = Annotated[
    str,
    StringConstraints(pattern=rf"^stuns?:{_HOST}$"),
    Field(description="a URL such as stun:stun.example.org:3478"),
]
TurnUrl = Annotated[
    str,
    StringConstraints(pattern=rf"^turns?:{_HOST}(\?transport=(udp|tcp))?$"),
    Field(description="a URL such as turn:turn.example.org:3478?transport=udp"),
]


class TurnServer(Section):
    url: TurnUrl
    username: Text
    credential: Text = Field(repr=False)


class MediaConfig(Section):
    """In addition to what the service tells; none by default, no third party is ever asked."""

    stun: list[StunUrl] = []
    turn: list[TurnServer] = []
    silence_s: Annotated[float, Field(ge=1.0, le=30.0)] = 2.0
    """A connection that neither carries media nor answers for so long is made anew."""
