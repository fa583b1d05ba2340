# SPDX-License-Identifier: GPL-3.0-or-later
"""A kiosk on scripted devices in a call, and what the other side sees and hears of it."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from callagent.agent.agent import Agent
from callagent.agent.sign_in import identify
from callagent.cli.demo import agent_config, running_agent
from callagent.config import AgentConfig, ServerConfig
from callagent.devices.virtual import framecode
from callagent.devices.virtual.scripted import ScriptedDevice, ScriptedHardware
from callagent.devices.virtual.tone_meter import tone_db
from callagent.ports import VideoFrame
from callagent.protocol.enums import CallState, LoginState, MediaType
from callagent.server.serve import running_service

DEADLINE_S = 30.0
OTHERS_TONE_HZ = 1500.0
_LISTEN_S = 0.2
_LOUD_DB = 20.0


class Call:
    """One call: `kiosk` has the scripted devices, `other` watches and listens."""

    def __init__(self, kiosk: Agent, other: Agent, hardware: ScriptedHardware) -> None:
        self.kiosk, self.other, self.hardware = kiosk, other, hardware
        self.ident: int | None = None
        """Of the camera in the newest picture; None for a slate."""
        self.counter = 0
        self.pictures = 0
        screen_put = other.studio.screen.put

        def put(frame: VideoFrame) -> None:
            code = framecode.read_frame(frame)
            self.ident = None if code is None else code.ident
            self.counter = self.counter if code is None else code.counter
            self.pictures += 1
            screen_put(frame)

        other.studio.screen.put = put  # type: ignore[method-assign]

    async def until(self, condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> float:
        """Wait for it; returns when it held. Raises TimeoutError."""
        async with asyncio.timeout(deadline_s):
            while not condition():  # noqa: ASYNC110 - threads of the devices make it true
                await asyncio.sleep(0.005)
        return time.monotonic()

    async def sees(self, ident: int | None) -> float:
        """A new picture of that camera, with a counter that moves; None: a slate."""
        pictures, counter = self.pictures, self.counter

        def holds() -> bool:
            moved = ident is None or self.counter != counter
            return self.pictures > pictures and self.ident == ident and moved

        return await self.until(holds)

    async def hears(self, tone_hz: float) -> float:
        speaker: Any = self.other.studio.bindings["speaker"].source
        return await self.until(lambda: tone_db(speaker.recent(_LISTEN_S), tone_hz) >= _LOUD_DB)

    async def is_heard_at(self, card: ScriptedDevice) -> float:
        """The other side's tone comes out of this card."""

        def holds() -> bool:
            sound = card.recent(_LISTEN_S)
            return len(sound) >= 48_000 * _LISTEN_S * 0.9 and tone_db(sound, OTHERS_TONE_HZ) >= _LOUD_DB

        return await self.until(holds)


@asynccontextmanager
async def scripted_call(**sections: Any) -> AsyncIterator[Call]:
    """Service, both agents and the call between them; `sections` configure the kiosk's devices."""
    hardware = ScriptedHardware()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callagent-")))
        server = {
            "listen": {"https": {"port": 0}, "http": {"port": 0}},
            "storage": {"directory": str(folder)},
        }
        service = await stack.enter_async_context(running_service(ServerConfig.model_validate(server)))
        app_id = (await service.service.accounts.apps())[0].app_id
        virtual = dict.fromkeys(("camera", "microphone", "speaker"), "virtual")
        settings = await agent_config(service, app_id, "other", devices=virtual, tone_hz=OTHERS_TONE_HZ)
        other = await stack.enter_async_context(running_agent(settings))
        base = await agent_config(service, app_id, "kiosk", devices=virtual)
        plain = base.model_dump(mode="python", by_alias=True, include={"service", "identity"})
        config = AgentConfig.model_validate(plain | sections)
        kiosk = Agent(config, await identify(config), udev=hardware.udev, nodes=hardware)
        stack.push_async_callback(kiosk.close)
        await kiosk.start()
        call = Call(kiosk, other, hardware)
        await call.until(
            lambda: all(each.engine.state.login_state is LoginState.ONLINE for each in (kiosk, other))
        )
        await other.engine.calls([kiosk.user_id], MediaType.VIDEO)
        await call.until(lambda: kiosk.engine.state.call_state is CallState.RINGING)
        await kiosk.engine.accept()
        yield call
