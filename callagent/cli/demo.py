# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent demo`: call service and kiosk on this machine, with whatever devices are plugged in."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from callagent.agent.agent import Agent
from callagent.agent.devices import present_devices
from callagent.agent.sign_in import identify
from callagent.config import AgentConfig, ServerConfig
from callagent.server.serve import ServeError, ServeHandle, running_service

KIOSK, OPERATOR = "kiosk", "operator"
LINK_EXPIRE_S = 7 * 86400


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    service: ServeHandle
    app_id: int
    kiosk: Agent
    control: Path
    devices: dict[str, str]
    """By slot: what is behind it."""


def data_folder() -> Path:
    """Kept from one demo to the next, so that a browser has to trust the local CA only once."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(home) / "callagent-demo"


async def demo(*, port: int, http_port: int) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        async with running_demo(data_folder(), port=port, http_port=http_port) as running:
            print(await _welcome(running), flush=True)
            service_ended = asyncio.create_task(running.service.wait())
            stop = asyncio.create_task(stopping.wait())
            await asyncio.wait({service_ended, stop}, return_when=asyncio.FIRST_COMPLETED)
            for task in (service_ended, stop):
                task.cancel()
    except ServeError as error:
        print(f"callagent demo: {error}")
        return 1
    return 0


@asynccontextmanager
async def running_demo(folder: Path, *, port: int = 0, http_port: int = 0) -> AsyncIterator[Demo]:
    """Service and kiosk until the block is left. Raises ServeError when the service cannot start."""
    async with contextlib.AsyncExitStack() as stack:
        config = _service_config(folder, port, http_port)
        service = await stack.enter_async_context(running_service(config))
        app_id = (await service.service.accounts.apps())[0].app_id
        devices = await present_devices()
        control = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callagent-"))) / "agent.sock"
        kiosk = await stack.enter_async_context(
            running_agent(
                await agent_config(
                    service,
                    app_id,
                    KIOSK,
                    devices=devices,
                    answer={"mode": "auto", "from": "anyone", "delay_s": 2},
                ),
                control,
            )
        )
        yield Demo(service, app_id, kiosk, control, devices)


@asynccontextmanager
async def running_agent(config: AgentConfig, control: Path | None = None) -> AsyncIterator[Agent]:
    agent = Agent(config, await identify(config), control)
    try:
        await agent.start()
        yield agent
    finally:
        await agent.close()


async def agent_config(
    service: ServeHandle,
    app_id: int,
    user: str,
    *,
    devices: dict[str, str],
    answer: dict[str, object] | None = None,
    tone_hz: float = 1000.0,
) -> AgentConfig:
    """An agent of this very machine, over plain HTTP on loopback."""
    accounts = service.service.accounts
    nickname = user.capitalize()
    await accounts.add_user(app_id, user, nickname)
    sections: dict[str, dict[str, object]] = {
        "service": {"url": f"http://127.0.0.1:{service.http_port}", "sdk_app_id": app_id},
        "identity": {"user": user, "usersig": await accounts.usersig(app_id, user, LINK_EXPIRE_S)},
        "answer": answer or {"mode": "ring"},
        **{slot: {"device": device} for slot, device in devices.items()},
    }
    sections["microphone"]["virtual"] = {"tone_hz": tone_hz}
    return AgentConfig.model_validate(sections)


def _service_config(folder: Path, port: int, http_port: int) -> ServerConfig:
    return ServerConfig.model_validate(
        {
            "listen": {"https": {"port": port}, "http": {"port": http_port}},
            "storage": {"directory": str(folder)},
        }
    )


async def _welcome(running: Demo) -> str:
    accounts = running.service.service.accounts
    await accounts.add_user(running.app_id, OPERATOR, OPERATOR.capitalize())
    ticket = await accounts.usersig(running.app_id, OPERATOR, LINK_EXPIRE_S)
    fragment = urlencode({"user": OPERATOR, "sig": ticket, "app": running.app_id})
    urls = [f"{url}phone/#{fragment}" for url in running.service.urls]
    here, elsewhere = urls[-1], urls[0]
    devices = "\n".join(
        f"    {slot:<11} {'a virtual one, none' if device == 'virtual' else 'the one that'} is plugged in"
        for slot, device in running.devices.items()
    )
    return f"""
callagent demo: a call service and a kiosk called "{KIOSK}" run on this machine.

  The kiosk's devices
{devices}

  The web phone, signed in as "{OPERATOR}"
    on this machine    {here}
    from another one   {elsewhere}
    (the other machine's browser does not know the local CA yet: accept its warning, or import
    {running.service.ca_path})

  Next step: open one of these addresses and call "{KIOSK}"; it answers by itself after two seconds.
  It also calls you:   callagent call {OPERATOR} --socket {running.control}
  Ctrl-C ends the demo.
"""
