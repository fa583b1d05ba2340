# SPDX-License-Identifier: GPL-3.0-or-later
"""The real call service in this process, lines to it that can be cut, and engines on those lines."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from callagent.call.credentials import FixedUserSig
from callagent.call.engine import CallEngine, EngineSettings
from callagent.call.notifications import EngineEvent
from callagent.protocol.enums import CallState
from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.service import CallService
from tests.deadline import DEADLINE_S
from tests.unit.call.fake_media import FakeMedia
from tests.unit.server.rig import Rig, running, until


class JumpingClock:
    """Unix seconds that run on, and jump when told."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        return self._offset + time.monotonic()

    def jump(self, seconds: float) -> None:
        self._offset += seconds


class Wire:
    """A TCP line to the service that can be cut and joined, without either end's consent."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._server: asyncio.Server | None = None
        self._transports: set[asyncio.WriteTransport] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.joined = True
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Every connection breaks at once, and new ones are refused."""
        self.joined = False
        for transport in self._transports:
            transport.abort()

    def join(self) -> None:
        self.joined = True

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        port = self._exchange.port
        if not self.joined or port is None:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer.transport, far_writer.transport}
        self._transports |= ends
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_pump(reader, far_writer))
                pumps.create_task(_pump(far_reader, writer))
        finally:
            self._transports -= ends
            for transport in ends:
                transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except (OSError, RuntimeError):
        writer.transport.abort()


class Device:
    """One engine on its own line, with media of paper and a memory of all it told."""

    def __init__(self, user_id: str, usersig: str, wire: Wire, device_id: str) -> None:
        self.user_id = user_id
        self.wire = wire
        self.media = FakeMedia()
        self.events: list[EngineEvent] = []
        self._more = asyncio.Event()
        settings = EngineSettings(
            url=f"ws://127.0.0.1:{wire.port}",
            app_id=DEFAULT_APP_ID,
            user_id=user_id,
            device_id=device_id,
            credentials=FixedUserSig(usersig),
        )
        self.engine = CallEngine(settings, self.media)
        self.engine.add_observer(self._note)

    def _note(self, event: EngineEvent) -> None:
        self.events.append(event)
        self._more.set()

    @property
    def names(self) -> list[str]:
        """All it told, the status and errors of the connection aside."""
        return [event.name for event in self.events if event.name not in ("onStatusChanged", "onError")]

    @property
    def ends(self) -> list[tuple[str, int, str]]:
        """Name, reason and culprit of every end it told."""
        return [
            (event.name, event.data["reason"], event.data["userId"])
            for event in self.events
            if event.name in ("onCallEnd", "onCallNotConnected")
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._more.clear()
                await self._more.wait()

    async def wait(self, name: str, count: int = 1) -> EngineEvent:
        await self.until(lambda: self.names.count(name) >= count)
        return [event for event in self.events if event.name == name][count - 1]

    async def wait_state(self, state: CallState) -> None:
        await self.until(lambda: self.engine.state.call_state is state)


class Exchange:
    """The service on a database file, restartable behind the lines, and its devices."""

    def __init__(self, database: Path, stack: AsyncExitStack) -> None:
        self._database = database
        self._stack = stack
        self._serving: AsyncExitStack | None = None
        self._rig: Rig | None = None
        self.clock = JumpingClock()

    @property
    def port(self) -> int | None:
        return self._rig.port if self._rig is not None else None

    @property
    def service(self) -> CallService:
        assert self._rig is not None
        return self._rig.service

    async def until_away(self) -> None:
        """Until the service noticed that a line broke."""
        rig = self._rig
        assert rig is not None

        async def away() -> bool:
            return bool(await rig.away())

        await until(away)

    async def up(self) -> None:
        service = await CallService.open(f"sqlite:///{self._database}", now=self.clock)
        self._serving = AsyncExitStack()
        self._rig = await self._serving.enter_async_context(running(service))

    async def down(self) -> None:
        self._rig = None
        serving, self._serving = self._serving, None
        if serving is not None:
            await serving.aclose()

    def lose_memory(self) -> None:
        """The database is gone, as after a broken disk; only while the service is down."""
        for file in self._database.parent.glob(f"{self._database.name}*"):
            file.unlink()

    def jump(self, seconds: float) -> None:
        """So much time passes for the service's timers."""
        self.clock.jump(seconds)
        self.service.timers.changed((), ())

    async def device(self, user_id: str, device_id: str = "", start: bool = True) -> Device:
        """A device of that user, logged in unless told otherwise."""
        wire = Wire(self)
        await wire.open()
        self._stack.push_async_callback(wire.close)
        usersig = await self.service.accounts.usersig(DEFAULT_APP_ID, user_id)
        made = Device(user_id, usersig, wire, device_id or f"{user_id}-1")
        self._stack.push_async_callback(made.engine.close)
        if start:
            await made.engine.start()
            await made.engine.wait_online(DEADLINE_S)
        return made


@asynccontextmanager
async def exchange(database: Path) -> AsyncIterator[Exchange]:
    async with AsyncExitStack() as stack:
        made = Exchange(database, stack)
        await made.up()
        stack.push_async_callback(made.down)
        yield made
