# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own STUN and TURN servers, beside those the service names."""

from collections.abc import Sequence

from callagent.config.media import MediaConfig
from callagent.ports import IceServer, MediaSession, MediaSessionFactory, MediaSessionListener, PeerKey


def configured_servers(config: MediaConfig) -> tuple[IceServer, ...]:
    stun = (IceServer((url,)) for url in config.stun)
    turn = (IceServer((server.url,), server.username, server.credential) for server in config.turn)
    return (*stun, *turn)


class WithOwnServers:
    """A ports.MediaSessionFactory that adds servers to every session."""

    def __init__(self, factory: MediaSessionFactory, servers: Sequence[IceServer]) -> None:
        self._factory = factory
        self._servers = tuple(servers)

    def create(
        self,
        peer: PeerKey,
        own_user_id: str,
        ice_servers: Sequence[IceServer],
        listener: MediaSessionListener,
    ) -> MediaSession:
        return self._factory.create(peer, own_user_id, (*ice_servers, *self._servers), listener)
