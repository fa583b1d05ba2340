# SPDX-License-Identifier: GPL-3.0-or-later
"""People who only speak the protocol: no page and no media."""

from contextlib import AsyncExitStack
from typing import Any

from tests.browser.service import RunningService
from tests.unit.server.rig import Client


class Clients:
    """Signs them in at the running service; they are gone when the stack is closed."""

    def __init__(self, service: RunningService, stack: AsyncExitStack) -> None:
        self._service, self._stack = service, stack

    async def login(self, user: str) -> Client:
        url = f"ws://127.0.0.1:{self._service.http_port}/v1/signal"
        client = await self._stack.enter_async_context(Client(url))
        await client.login(user, self._service.ticket(user), f"device-{user}")
        return client

    async def accept(self, client: Client) -> dict[str, Any]:
        """Answer the call that rings there, sending nothing; what `onCallReceived` told."""
        call = await client.event("onCallReceived")
        await client.ok("accept", callId=call["callId"])
        await client.ok("setTracks", callId=call["callId"], audio=False, video=False)
        return call
