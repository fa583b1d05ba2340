# SPDX-License-Identifier: GPL-3.0-or-later
"""A scheduler that decides by a seed which of several actors touches the storage next."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.server.repository import Changes, Committed, InviteFacts, Repository, UserCall
from callagent.server.storage.calls import Versioned

Actor = Callable[[], Awaitable[object]]
Outcomes = dict[str, ErrorCode]
"""What became of each actor; OK when it was not refused."""

_running: ContextVar[str | None] = ContextVar("actor", default=None)


class Scheduler:
    """Runs actors one step at a time; the same seed gives the same order."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.trace: list[str] = []
        self._random = random.Random(seed)
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._settled = asyncio.Event()

    async def gate(self, step: str) -> None:
        """Wait for this actor's turn; no actor, no gate."""
        actor = _running.get()
        if actor is None:
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[actor] = turn
        self._settled.set()
        await turn
        self.trace.append(f"{actor}:{step}")

    async def run(self, actors: Mapping[str, Actor]) -> Outcomes:
        outcomes: Outcomes = {}

        async def act(name: str, actor: Actor) -> None:
            _running.set(name)
            try:
                await self.gate("start")
                await actor()
                outcomes[name] = ErrorCode.OK
            except CallAgentError as error:
                outcomes[name] = error.code
            finally:
                self._settled.set()

        async with asyncio.TaskGroup() as group:
            for name, actor in actors.items():
                group.create_task(act(name, actor))
            await self._until(lambda: len(self._waiting) == len(actors))
            while self._waiting:
                name = self._random.choice(sorted(self._waiting))
                self._waiting.pop(name).set_result(None)
                await self._until(lambda name=name: name in self._waiting or name in outcomes)  # type: ignore[misc]
        return outcomes

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._settled.clear()
                await self._settled.wait()


class GatedRepository(Repository):
    """The real repository with a gate in front of every load and every commit."""

    scheduler: Scheduler | None = None

    async def load(self, app_id: int, call_id: str) -> Versioned | None:
        await self._gate("load")
        return await super().load(app_id, call_id)

    async def load_of_user(self, app_id: int, user_id: str) -> UserCall:
        await self._gate("load_of_user")
        return await super().load_of_user(app_id, user_id)

    async def load_invite(self, app_id: int, users: list[str]) -> InviteFacts:
        await self._gate("load_invite")
        return await super().load_invite(app_id, users)

    async def commit(self, changes: Changes, now: float) -> Committed:
        await self._gate("commit")
        return await super().commit(changes, now)

    async def _gate(self, step: str) -> None:
        if self.scheduler is not None:
            await self.scheduler.gate(step)
