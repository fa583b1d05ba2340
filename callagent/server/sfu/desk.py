# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rooms on media servers read, store and tell: their way to the rest of the service."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import Connection

from callagent.protocol.enums import Placement
from callagent.protocol.events import MediaPeer, OnMediaPlan, Signal
from callagent.protocol.media import MediaMessage
from callagent.server.announce import Announcer
from callagent.server.bus import Bus
from callagent.server.calls.commands import Addressed, Renegotiate, Step, ToSession
from callagent.server.calls.control import retried
from callagent.server.calls.model import Call, MemberStatus
from callagent.server.clock import Now
from callagent.server.ice import IceSettings
from callagent.server.repository import Changes, Repository
from callagent.server.sfu.links import RoomState, Views
from callagent.server.storage import calls, seats
from callagent.server.storage.engine import Storage
from callagent.server.storage.event_log import SessionKey
from callagent.server.storage.seats import RoomKey

ApplyRenegotiate = Callable[[int, str, Renegotiate], Awaitable[object]]
"""On that call of that app."""


class Desk:
    """Of one node of the service. Raises what the storage raises. Used on the event loop."""

    def __init__(
        self,
        storage: Storage,
        repository: Repository,
        announcer: Announcer,
        bus: Bus,
        now: Now,
        node_id: str,
        ice: IceSettings,
        renegotiate: ApplyRenegotiate,
    ) -> None:
        self._storage = storage
        self._repository = repository
        self._announcer = announcer
        self._bus = bus
        self._now = now
        self._node_id = node_id
        self._ice = ice
        self._renegotiate = renegotiate

    async def facts(self, key: RoomKey) -> tuple[Call | None, Views]:
        """The live call, and who wants to see what."""

        def work(connection: Connection) -> tuple[Call | None, Views]:
            loaded = calls.load(connection, key.app_id, key.call_id)
            wanted = seats.views(connection, key.app_id, key.call_id)
            return (loaded.call if loaded is not None else None), wanted

        return await self._storage.read(work)

    async def save(self, key: RoomKey, state: RoomState) -> bool:
        """False when another node has the room."""
        stored = state.model_dump(mode="json")
        taken = sum(link.handle is not None for link in state.links.values())
        return await self._storage.write(
            lambda connection: seats.save(connection, key, self._node_id, taken, stored)
        )

    async def remove(self, key: RoomKey) -> None:
        await self._storage.write(lambda connection: seats.remove(connection, key, self._node_id))

    async def announce(self, key: RoomKey, links: Mapping[str, Sequence[MediaPeer]]) -> None:
        """A plan of the present epoch for each of these sessions; none when the epoch is over."""

        async def attempt() -> None:
            loaded = await self._repository.load(key.app_id, key.call_id)
            if loaded is None or loaded.call.epoch != key.epoch:
                return
            now = self._now()
            there = {member.session_id for member in loaded.call.with_status(MemberStatus.CONNECTED)}
            events = tuple(
                Addressed(
                    ToSession(session_id),
                    self._ice.equipped(_plan(loaded.call, peers), key.app_id, session_id, now),
                )
                for session_id, peers in links.items()
                if session_id in there
            )
            # As a change of the call, though it stays as it is: no newer plan comes before this one.
            step = Step(loaded.call, events)
            await self._announcer.commit(Changes(key.app_id, before=loaded, step=step), now)

        await retried(attempt)

    async def tell(self, key: RoomKey, session_id: str, link_id: str, media: MediaMessage) -> None:
        """Of the moment, as between sessions."""
        await self._bus.signal(SessionKey(key.app_id, session_id), Signal(sender=link_id, media=media))

    async def new_epoch(self, key: RoomKey) -> None:
        """Its media is lost: plan anew, unless that was done."""
        call, _ = await self.facts(key)
        if call is None or call.over or call.epoch != key.epoch or call.placement is not Placement.SFU:
            return
        for member in call.with_status(MemberStatus.CONNECTED):
            if member.session_id is not None:
                command = Renegotiate(member.user_id, member.session_id, key.epoch)
                await self._renegotiate(key.app_id, key.call_id, command)
                return


def _plan(call: Call, peers: Sequence[MediaPeer]) -> OnMediaPlan:
    return OnMediaPlan(call_id=call.call_id, epoch=call.epoch, placement=Placement.SFU, peers=list(peers))
