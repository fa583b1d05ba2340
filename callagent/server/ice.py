# SPDX-License-Identifier: GPL-3.0-or-later
"""The STUN and TURN servers a session is told, with credentials of its own."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from callagent.protocol.events import OnMediaPlan


@dataclass(frozen=True, slots=True)
class TurnServer:
    """A TURN server that shares a secret with the service (coturn: `use-auth-secret`)."""

    host: str
    secret: str = field(repr=False)
    lifetime_s: int = 86400
    udp_port: int | None = 3478
    tcp_port: int | None = 3478
    tls_port: int | None = None

    @property
    def urls(self) -> list[str]:
        """RFC 7065; the quickest way first, the one that passes most firewalls last."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        ways = (
            ("turn", self.udp_port, "udp"),
            ("turn", self.tcp_port, "tcp"),
            ("turns", self.tls_port, "tcp"),
        )
        return [f"{scheme}:{host}:{port}?transport={way}" for scheme, port, way in ways if port is not None]

    def entry(self, name: str, now: float) -> dict[str, Any]:
        """A W3C RTCIceServer whose credentials `name` may use for `lifetime_s` from `now` (Unix seconds).

        draft-uberti-behave-turn-rest-00, section 2.2: the user name is the time of expiry and a name,
        the password its HMAC-SHA1 by the secret.
        """
        username = f"{int(now) + self.lifetime_s}:{name}"
        digest = hmac.digest(self.secret.encode(), username.encode(), hashlib.sha1)
        return {"urls": self.urls, "username": username, "credential": base64.b64encode(digest).decode()}


@dataclass(frozen=True, slots=True)
class IceSettings:
    servers: Sequence[dict[str, Any]] = ()
    """W3C RTCIceServer objects, the same for everybody."""
    turn: Sequence[TurnServer] = ()
    relay_only: bool | frozenset[int] = False
    """Media by TURN only: for every app, or for these."""

    def equipped(self, plan: OnMediaPlan, app_id: int, session_id: str, now: float) -> OnMediaPlan:
        """The plan with what this session needs to find its way; `now`: Unix seconds."""
        only = self.relay_only if isinstance(self.relay_only, bool) else app_id in self.relay_only
        servers = [*self.servers, *(server.entry(session_id, now) for server in self.turn)]
        return plan.model_copy(
            update={"ice_servers": servers, "ice_transport_policy": "relay" if only else "all"}
        )
