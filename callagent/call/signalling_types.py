# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in where, and who is told what comes of it."""

import ssl
from dataclasses import dataclass
from typing import Literal, Protocol

from callagent.call.credentials import Credentials
from callagent.protocol.enums import Platform
from callagent.protocol.errors import CallAgentError
from callagent.protocol.events import AnyEventData, Moment
from callagent.protocol.replies import HelloData


@dataclass(frozen=True, slots=True, kw_only=True)
class SignallingSettings:
    """Who logs in where."""

    url: str
    """`ws://`, `wss://`, `http://` or `https://` with host and port; `/v1/signal` is added."""
    app_id: int
    user_id: str
    device_id: str
    credentials: Credentials
    platform: Platform = Platform.LINUX
    version: str = ""
    model: str = ""
    capabilities: tuple[str, ...] = ()
    ssl_context: ssl.SSLContext | None = None
    """For a private CA; None trusts the system's."""
    proxy: str | None = None
    on_kicked: Literal["retry", "stay_down"] = "retry"
    first_kicked_pause_s: float = 60.0
    """Doubled with every kick, up to 15 min."""


class SignallingListener(Protocol):
    """Told on the loop, in order. Must not raise."""

    def on_login_started(self) -> None:
        """A session is wanted and there is none."""
        ...

    def on_session(self, hello: HelloData) -> None:
        """Logged in; for a resumed session, after its missed events."""
        ...

    def on_connection_lost(self) -> None: ...

    def on_login_failed(self, error: CallAgentError) -> None:
        """The service could not be reached or refused the login; it is tried again."""
        ...

    def on_logged_out(self) -> None:
        """Kicked."""
        ...

    def on_event(self, data: AnyEventData) -> None: ...

    def on_moment(self, message: Moment) -> None: ...
