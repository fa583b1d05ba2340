# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the agent: an asyncio client on a thread of its own, which comes back for ever.

What it hears is handed to `tell` on that thread; what is asked of it (`send`) comes from any thread. The
agent may stop, restart or hang: whoever shows this is told so, and what there is when it is back.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from callagent.client import AgentClient, AgentUnreachable
from callagent.protocol.control import STATUS_EVENT, EventMessage
from callagent.protocol.enums import MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.screen.known import QUALITY_EVENT, VOICES_EVENT

logger = logging.getLogger(__name__)

RETRY_S = 0.5
"""Between attempts; asking a Unix socket nobody listens on costs nothing."""
STATUS_TIMEOUT_S = 5.0
"""An agent that does not answer for so long is as good as gone."""
REFRESH_S = 10.0
"""How old a status gets when nothing happens."""
SETTLE_S = 0.15
"""Between one status and the next: events come in bursts."""
VOLUME_STEP = 10
_QUIET = frozenset({STATUS_EVENT, VOICES_EVENT, QUALITY_EVENT})
"""Events after which the status is what it was."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A status or an event."""

    message: EventMessage


@dataclass(frozen=True, slots=True)
class Offered:
    """What the agent's control API has: its paths."""

    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class Gone:
    """No agent now, and why; told once each time."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A command did not work."""

    command: str
    code: int
    reason: str


Told: TypeAlias = Heard | Offered | Gone | Refused


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody in front of the screen wants; names as in `controls`, and `call`."""

    name: str
    users: tuple[str, ...] = ()
    on: bool = False
    """Of switches: how it is to be."""


class AgentLink:
    """`start` it, `send` commands, `close` it; usable once."""

    def __init__(self, tell: Callable[[Told], None], socket_path: Path | None = None) -> None:
        """`tell` is called on the link's thread and must return at once."""
        self._tell = tell
        self._path = socket_path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="agent link", daemon=True)
        self._client: AgentClient | None = None
        self._stale = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._commands: dict[str, asyncio.Task[None]] = {}
        self._there = True

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 3.0) -> None:
        """End the thread; from another one. Commands under way are given up."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop)
            self._thread.join(timeout_s)

    def send(self, command: Command) -> None:
        """From any thread; returns at once. A failure is told as `Refused`; a repeated tap is ignored."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._loop.call_soon_threadsafe(self._begin, command)

    # --- on the link's thread -------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._main = self._loop.create_task(self._serve())
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._main)
            self._loop.run_until_complete(self._give_up_commands())
        finally:
            self._loop.close()

    def _stop(self) -> None:
        if self._main is not None:
            self._main.cancel()

    async def _give_up_commands(self) -> None:
        for task in self._commands.values():
            task.cancel()
        await asyncio.gather(*self._commands.values(), return_exceptions=True)

    async def _serve(self) -> None:
        while True:
            try:
                async with AgentClient(self._path) as client:
                    await self._follow(client)
                    reason = "the agent has stopped"
            except (AgentUnreachable, CallAgentError, OSError) as error:
                reason = str(error)
            finally:
                self._client = None
            if self._there:
                self._there = False
                logger.info("no agent: %s", reason)
                self._tell(Gone(reason))
            await asyncio.sleep(RETRY_S)

    async def _follow(self, client: AgentClient) -> None:
        """Until the agent stops or falls silent."""
        tasks = {
            asyncio.ensure_future(self._listen(client)),
            asyncio.ensure_future(self._refresh(client)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, client: AgentClient) -> None:
        async for message in client.events():
            if self._client is None:
                self._client, self._there = client, True
                self._tell(Offered(await self._paths(client)))
                logger.info("connected to the agent on %s", client.socket_path)
            self._tell(Heard(message))
            if message.event not in _QUIET:
                self._stale.set()

    async def _paths(self, client: AgentClient) -> frozenset[str]:
        try:
            async with asyncio.timeout(STATUS_TIMEOUT_S):
                document = await client.openapi()
        except (CallAgentError, TimeoutError):
            return frozenset()
        paths: dict[str, Any] = document.get("paths", {})
        return frozenset(paths)

    async def _refresh(self, client: AgentClient) -> None:
        """A status after each change, and now and then; the stream begins with one."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await self._stale.wait()
            self._stale.clear()
            try:
                async with asyncio.timeout(STATUS_TIMEOUT_S):
                    status = await client.status()
            except TimeoutError as error:
                raise AgentUnreachable("the agent does not answer") from error
            self._tell(Heard(EventMessage(event=STATUS_EVENT, time=0, data=status.wire())))
            await asyncio.sleep(SETTLE_S)

    def _begin(self, command: Command) -> None:
        running = self._commands.get(command.name)
        if running is not None and not running.done():
            return
        self._commands[command.name] = self._loop.create_task(self._perform(command))

    async def _perform(self, command: Command) -> None:
        client = self._client
        if client is None:
            self._tell(Refused(command.name, int(ErrorCode.SIGNALING_SEND_FAIL), "no agent"))
            return
        try:
            await _do(client, command)
        except CallAgentError as error:
            logger.info("%s: %s", command.name, error)
            self._tell(Refused(command.name, int(error.code), error.message))
        except (AgentUnreachable, OSError) as error:
            self._tell(Refused(command.name, int(ErrorCode.SIGNALING_SEND_FAIL), str(error)))
        self._stale.set()


async def _do(client: AgentClient, command: Command) -> None:
    match command.name:
        case "call":
            await client.call(command.users)
        case "answer":
            await client.answer()
        case "reject":
            await client.reject()
        case "hang_up":
            await client.hangup()
        case "microphone":
            await client.set_microphone(command.on)
        case "camera":
            await client.set_camera(command.on)
        case "switch_camera":
            await client.switch_camera()
        case "volume_up":
            await client.set_volume(step=VOLUME_STEP)
        case "volume_down":
            await client.set_volume(step=-VOLUME_STEP)
        case "privacy":
            await client.set_privacy(command.on)
        case "voice":
            await client.switch_media_type(MediaType.AUDIO)
        case "invite":
            await client.invite(command.users)
        case unknown:
            raise CallAgentError(ErrorCode.PARAM_INVALID, f"there is no command {unknown}")
