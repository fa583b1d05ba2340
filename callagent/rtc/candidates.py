# SPDX-License-Identifier: GPL-3.0-or-later
"""The other side's ICE candidates, whether they come in the description, before it or after it."""

import asyncio
import logging

from aiortc import RTCPeerConnection
from aiortc.rtcicetransport import RTCIceCandidate

from callagent.ports import Candidate
from callagent.rtc import sdp

logger = logging.getLogger(__name__)


class RemoteCandidates:
    """Adds candidates to the one transport of a connection. Used on the loop.

    Browsers that do not trust a page hide their addresses behind mDNS names
    (`….local`). Those are resolved beside the negotiation; where there is no
    multicast they come to nothing, and the other side's own checks reach us.
    """

    def __init__(self, connection: RTCPeerConnection) -> None:
        self._connection = connection
        self._waiting: list[Candidate] = []
        self._mid: str | None = None
        self._added = 0
        self._resolving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def add(self, candidate: Candidate) -> None:
        """Use a trickled candidate, or keep it until the description is there. Raises ValueError."""
        parsed = sdp.read_candidate(candidate) if candidate.candidate else None
        if self._closed or (self._mid is not None and not self._is_for_first_line(candidate)):
            return
        if self._mid is None:
            if len(self._waiting) < sdp.MAX_CANDIDATES:
                self._waiting.append(candidate)
        elif parsed is not None:
            await self._use(parsed)
        elif not candidate.candidate:
            await self._connection.addIceCandidate(None)

    async def start(self, remote: sdp.RemoteDescription) -> None:
        """The other side's description is set: use its candidates and those that came before it."""
        self._mid = remote.lines[0].mid
        for parsed in remote.candidates:
            await self._use(parsed)
        waiting, self._waiting = self._waiting, []
        for candidate in waiting:
            await self.add(candidate)
        if remote.end_of_candidates:
            await self._connection.addIceCandidate(None)

    async def close(self) -> None:
        """Stop resolving names. Idempotent."""
        self._closed = True
        tasks = list(self._resolving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_for_first_line(self, candidate: Candidate) -> bool:
        # All lines share the first one's transport; a browser that offers gathers for the
        # others too, for the case that they should not (RFC 8843 section 7.1).
        if candidate.sdp_mid:
            return candidate.sdp_mid == self._mid
        return candidate.sdp_m_line_index in (None, 0)

    async def _use(self, candidate: RTCIceCandidate) -> None:
        self._added += 1
        if self._added > sdp.MAX_CANDIDATES:
            return
        candidate.sdpMid, candidate.sdpMLineIndex = self._mid, None
        if not candidate.ip.endswith(".local"):
            await self._connection.addIceCandidate(candidate)
            return
        task = asyncio.get_running_loop().create_task(self._resolve(candidate), name="rtc-mdns")
        self._resolving.add(task)
        task.add_done_callback(self._resolving.discard)

    async def _resolve(self, candidate: RTCIceCandidate) -> None:
        try:
            await self._connection.addIceCandidate(candidate)
        except (OSError, ValueError) as error:
            logger.debug("mDNS candidate %s not resolved: %s", candidate.ip, error)
