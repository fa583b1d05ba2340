# SPDX-License-Identifier: GPL-3.0-or-later
"""One peer connection of one epoch."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, TypeVar

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError

from callagent.ports import (
    UNTRACED,
    Candidate,
    Clock,
    IceServer,
    LocalMedia,
    MediaSessionListener,
    MediaSessionState,
    PeerKey,
    RemoteMedia,
    SessionDescription,
    Tracer,
)
from callagent.rtc import aioice_compat, sdp, transport_cc
from callagent.rtc import aiortc_compat as compat
from callagent.rtc.candidates import RemoteCandidates
from callagent.rtc.congestion.controller import CongestionController
from callagent.rtc.h264_level import with_level
from callagent.rtc.liveness import Liveness
from callagent.rtc.settings import RtcSettings
from callagent.rtc.tracks import SessionTracks

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 0.9

_Result = TypeVar("_Result")


class WebRtcSession:
    """A `ports.MediaSession`. Used on the event loop only.

    CLOSED without `close` having been called means that the other side ended
    the connection in order; FAILED that it never came about or was lost.
    """

    def __init__(
        self,
        peer: PeerKey,
        own_user_id: str,
        ice_servers: Sequence[IceServer],
        listener: MediaSessionListener,
        *,
        local: LocalMedia,
        remote: RemoteMedia,
        settings: RtcSettings,
        clock: Clock,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._peer = peer
        self._listener = listener
        self._settings = settings
        self._state = MediaSessionState.NEW
        self._tracks = SessionTracks(peer, own_user_id, local, remote, settings, clock, listener, tracer)
        # An explicit list: aiortc's default is a public STUN server.
        servers = [RTCIceServer(list(s.urls), s.username, s.credential) for s in ice_servers]
        configuration = RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._connection = RTCPeerConnection(configuration)
        self._connection.on("connectionstatechange", self._on_connection_state)
        controller = CongestionController(settings.start_bps, settings.min_bps, settings.max_bps)
        self._congestion = transport_cc.TransportCc(controller, clock, self._tracks.on_available)
        self._connect_tasks = compat.own_connect_tasks(self._connection)
        self._candidates = RemoteCandidates(self._connection)
        self._liveness = Liveness(self._connection, settings, self._fail)
        self._negotiation = asyncio.Lock()
        self._negotiating: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[None] | None = None

    @property
    def peer(self) -> PeerKey:
        return self._peer

    @property
    def state(self) -> MediaSessionState:
        return self._state

    @property
    def local_address(self) -> str | None:
        return compat.local_address(self._connection)

    async def create_offer(self) -> SessionDescription:
        """Raises ValueError when the session has had a description already, or is closed."""
        return await self._negotiate(self._create_offer)

    async def create_answer(self, offer: SessionDescription) -> SessionDescription:
        """Raises ValueError for a bad offer, and when the session is past taking one."""
        return await self._negotiate(lambda: self._create_answer(offer))

    async def set_answer(self, answer: SessionDescription) -> None:
        """Raises ValueError for a bad answer, and when no offer waits for one."""
        await self._negotiate(lambda: self._set_answer(answer))

    async def add_candidate(self, candidate: Candidate) -> None:
        """May come before the description it belongs to. Raises ValueError for a malformed one."""
        if self._closing is None:
            await self._candidates.add(candidate)

    async def statistics(self) -> dict[str, float | int | str]:
        """See `callagent.rtc.statistics`; first frames in seconds since the first description was begun."""
        figures = await self._tracks.figures(self._connection)
        return {"state": str(self._state)} | figures | self._congestion.figures()

    async def close(self) -> None:
        self._begin_close()
        assert self._closing is not None
        await asyncio.shield(self._closing)

    # Negotiation

    async def _negotiate(self, step: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """One step at a time, in a task of its own: a caller that gives up leaves nothing half done."""

        async def run() -> _Result:
            async with self._negotiation:
                if self._closing is not None or self._state is MediaSessionState.FAILED:
                    raise ValueError(f"the session is {self._state}")
                try:
                    return await step()
                except (InvalidAccessError, InvalidStateError, OperationError) as error:
                    raise ValueError(str(error)) from error

        task = asyncio.get_running_loop().create_task(run(), name="rtc-negotiation")
        self._negotiating.add(task)
        task.add_done_callback(self._negotiating.discard)
        return await asyncio.shield(task)

    async def _create_offer(self) -> SessionDescription:
        if self._state is not MediaSessionState.NEW:
            raise ValueError("the session has its offer already; a new one is a new epoch")
        self._begin_connecting()
        for kind in ("audio", "video"):
            self._add_transceiver(kind)
        offer = await self._connection.createOffer()
        offer_sdp = transport_cc.offer(offer.sdp)
        await self._connection.setLocalDescription(RTCSessionDescription(offer_sdp, "offer"))
        return self._local_description("offer")

    async def _create_answer(self, offer: SessionDescription) -> SessionDescription:
        if self._state is not MediaSessionState.NEW:
            raise ValueError("the session has its offer already; a new one is a new epoch")
        remote = sdp.read_description(offer, "offer")
        self._begin_connecting()
        # In the order of the offer, because the first line's transport is the one all share.
        for line in remote.lines:
            self._add_transceiver(line.kind)
        await self._set_remote(remote, offer)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        self._tracks.start_sending(self._congestion.start_bps)
        return self._local_description("answer")

    async def _set_answer(self, answer: SessionDescription) -> None:
        remote = sdp.read_description(answer, "answer")
        await self._set_remote(remote, answer)
        self._tracks.start_sending(self._congestion.start_bps)

    def _add_transceiver(self, kind: sdp.Kind) -> None:
        transceiver = self._connection.addTransceiver(kind, direction="sendrecv")
        transceiver.setCodecPreferences(sdp.codec_preferences(kind, self._settings.video_codecs))
        aioice_compat.tune_gathering(transceiver, self._settings.gather_timeout_s)
        aioice_compat.patient_consent(transceiver)
        aioice_compat.share_the_loop(transceiver)
        compat.drop_what_makes_no_sense(transceiver)
        self._tracks.add_transceiver(kind, transceiver)

    async def _set_remote(self, remote: sdp.RemoteDescription, description: SessionDescription) -> None:
        await self._connection.setRemoteDescription(RTCSessionDescription(remote.sdp, description.type))
        self._congestion.accept(remote.sdp, self._connection.getTransceivers())
        self._tracks.start_receiving(description.tracks)
        await self._candidates.start(remote)

    def _local_description(self, type_: Literal["offer", "answer"]) -> SessionDescription:
        text = with_level(self._connection.localDescription.sdp, self._settings.h264_level)
        return SessionDescription(type_, text, self._tracks.announced())

    # State

    def _begin_connecting(self) -> None:
        self._tracks.begin()
        self._liveness.begin()
        self._set_state(MediaSessionState.CONNECTING)

    def _on_connection_state(self) -> None:
        state = self._connection.connectionState
        if self._closing is not None:
            return
        if state == "connected":
            self._liveness.connected()
            self._set_state(MediaSessionState.CONNECTED)
        elif state == "failed":
            self._fail("ICE or DTLS failed")
        elif state == "closed":
            self._begin_close()

    def _fail(self, reason: str) -> None:
        if self._closing is None and self._state is not MediaSessionState.FAILED:
            logger.warning("media with %s, epoch %d: %s", self._peer.user_id, self._peer.epoch, reason)
            self._liveness.stop()
            self._tracks.stop_sending()
            self._set_state(MediaSessionState.FAILED)

    def _set_state(self, state: MediaSessionState) -> None:
        if state is self._state:
            return
        self._state = state
        try:
            self._listener.on_media_state(self._peer, state)
        except Exception:
            logger.exception("a listener failed")

    # End

    def _begin_close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(), name="rtc-close")

    async def _close(self) -> None:
        self._liveness.stop()
        self._tracks.stop_sending()
        release = asyncio.get_running_loop().create_task(self._release(), name="rtc-release")
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.shield(release)
        except TimeoutError:
            # Cancelled half-way, the connection's threads and sockets would stay for ever.
            _releasing.add(release)
            release.add_done_callback(_released)
            logger.warning(
                "media with %s, epoch %d did not close in time", self._peer.user_id, self._peer.epoch
            )
        finally:
            await self._tracks.close()
            self._set_state(MediaSessionState.CLOSED)

    async def _release(self) -> None:
        await asyncio.gather(*self._negotiating, return_exceptions=True)
        await self._candidates.close()
        await self._congestion.close()
        await compat.close_connection(self._connection, self._connect_tasks)


_releasing: set[asyncio.Task[None]] = set()
"""Connections that are still being given back after their session told that it is closed."""


def _released(task: asyncio.Task[None]) -> None:
    _releasing.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a connection was not given back: %s", error)
