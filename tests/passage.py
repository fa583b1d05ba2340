# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP way to a port of this machine that can be cut, or stand still."""

import asyncio
import contextlib
from types import TracebackType


class Passage:
    """An async context manager; `port` leads to the port it was made for."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.stalled = asyncio.Event()
        """While it is set nothing gets through, in either direction, and nothing is closed."""

    async def __aenter__(self) -> "Passage":
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def cut(self, for_s: float) -> None:
        """End every connection, and refuse new ones for so long."""
        await self._close()
        await asyncio.sleep(for_s)
        await self._open()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._ways:
            await asyncio.wait(self._ways)
        await self._server.wait_closed()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._ways.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        ends = {writer, back}
        self._writers |= ends
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            self._writers -= ends
            self._ways.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                while self.stalled.is_set():
                    await asyncio.sleep(0.02)
                writer.write(data)
                await writer.drain()
        writer.close()
