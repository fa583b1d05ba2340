# SPDX-License-Identifier: GPL-3.0-or-later
"""Media sessions without media: they negotiate by the rules and connect when told, or by themselves."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from callagent.ports import (
    Candidate,
    IceServer,
    Layer,
    MediaSessionListener,
    MediaSessionState,
    PeerKey,
    SessionDescription,
    TrackInfo,
    TrackSource,
)


class FakeSession:
    def __init__(self, factory: "FakeMedia", peer: PeerKey, listener: MediaSessionListener) -> None:
        self._factory = factory
        self._listener = listener
        self._peer = peer
        self._state = MediaSessionState.NEW
        self.remote: SessionDescription | None = None
        self.candidates: list[str] = []
        self.role = ""
        self.figures: dict[str, float | int | str] = {}
        self.local_address: str | None = "192.0.2.1"

    @property
    def peer(self) -> PeerKey:
        return self._peer

    @property
    def state(self) -> MediaSessionState:
        return self._state

    def become(self, state: MediaSessionState) -> None:
        self._state = state
        self._listener.on_media_state(self._peer, state)
        self._factory.note()

    def first_frame(self, kind: Literal["audio", "video"]) -> None:
        self._listener.on_first_frame(self._peer, kind)

    def _describe(self, kind: Literal["offer", "answer"]) -> SessionDescription:
        track = TrackInfo(f"{kind}-a", "me", TrackSource.MICROPHONE, Layer.HIGH, "0")
        return SessionDescription(kind, f"{kind} {self._peer.epoch}", (track,))

    def _negotiated(self) -> None:
        self.become(MediaSessionState.CONNECTING)
        if self._factory.connects:
            asyncio.get_running_loop().call_soon(self._connect)

    def _connect(self) -> None:
        if self._state is MediaSessionState.CONNECTING:
            self.become(MediaSessionState.CONNECTED)

    async def create_offer(self) -> SessionDescription:
        self.role = "offerer"
        return self._describe("offer")

    async def create_answer(self, offer: SessionDescription) -> SessionDescription:
        if not offer.sdp.startswith("offer"):
            raise ValueError("not an offer")
        self.role = "answerer"
        self.remote = offer
        self._negotiated()
        return self._describe("answer")

    async def set_answer(self, answer: SessionDescription) -> None:
        if not answer.sdp.startswith("answer"):
            raise ValueError("not an answer")
        self.remote = answer
        self._negotiated()

    async def add_candidate(self, candidate: Candidate) -> None:
        if candidate.candidate == "bad":
            raise ValueError("bad candidate")
        self.candidates.append(candidate.candidate)
        self._factory.note()

    async def statistics(self) -> dict[str, float | int | str]:
        return {"epoch": self._peer.epoch} | self.figures

    async def close(self) -> None:
        self._state = MediaSessionState.CLOSED
        self._factory.note()


class FakeMedia:
    """A MediaSessionFactory; `sessions` are all it ever made."""

    def __init__(self, connects: bool = True) -> None:
        self.connects = connects
        self.broken = False
        self.sessions: list[FakeSession] = []
        self.ice_servers: Sequence[IceServer] = ()
        self._noted = asyncio.Event()

    def create(
        self,
        peer: PeerKey,
        own_user_id: str,
        ice_servers: Sequence[IceServer],
        listener: MediaSessionListener,
    ) -> FakeSession:
        if self.broken:
            raise RuntimeError("no media today")
        self.ice_servers = ice_servers
        session = FakeSession(self, peer, listener)
        self.sessions.append(session)
        self.note()
        return session

    def note(self) -> None:
        self._noted.set()

    @property
    def open(self) -> list[FakeSession]:
        return [session for session in self.sessions if session.state is not MediaSessionState.CLOSED]

    async def wait_open(self, count: int, state: MediaSessionState | None = None) -> list[FakeSession]:
        """Until exactly so many sessions are open, all in that state."""
        await self.until(
            lambda: (
                len(self.open) == count
                and all(state is None or session.state is state for session in self.open)
            )
        )
        return self.open

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10.0):
            while not condition():
                self._noted.clear()
                await self._noted.wait()
