# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes WebRTC sessions that share this machine's media."""

from collections.abc import Sequence

from callagent.ports import (
    UNTRACED,
    Clock,
    IceServer,
    LocalMedia,
    MediaSessionListener,
    MonotonicClock,
    PeerKey,
    RemoteMedia,
    Tracer,
)
from callagent.rtc.session import WebRtcSession
from callagent.rtc.settings import RtcSettings


class WebRtcSessionFactory:
    """A `ports.MediaSessionFactory`. Used on the event loop."""

    def __init__(
        self,
        local: LocalMedia,
        remote: RemoteMedia,
        settings: RtcSettings | None = None,
        clock: Clock | None = None,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._tracer = tracer
        self._local = local
        self._remote = remote
        self._settings = settings or RtcSettings()
        self._clock = clock or MonotonicClock()

    def create(
        self,
        peer: PeerKey,
        own_user_id: str,
        ice_servers: Sequence[IceServer],
        listener: MediaSessionListener,
    ) -> WebRtcSession:
        """A new session; nothing happens on the network before it makes a description.

        Raises ValueError when an ICE server's URL is malformed.
        """
        return WebRtcSession(
            peer,
            own_user_id,
            ice_servers,
            listener,
            local=self._local,
            remote=self._remote,
            settings=self._settings,
            clock=self._clock,
            tracer=self._tracer,
        )
