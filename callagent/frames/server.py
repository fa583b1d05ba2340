# SPDX-License-Identifier: Apache-2.0
"""The agent's end of frames.sock: tells each client where the streams lie that it wants.

Pictures do not pass through here: `Stream.put` writes them, from the thread that has them. A client that does
not read holds up nobody: what is to be said to it is kept once for each stream, the newest only.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from callagent.frames.ring import SLOTS
from callagent.frames.socket_file import listen
from callagent.frames.stream import Stream
from callagent.protocol.frames import MAX_MESSAGE_BYTES, EndMessage, StreamMessage, WantMessage

logger = logging.getLogger(__name__)

MAX_CLIENTS = 16
_ACCEPT_AGAIN_S = 1.0
_SEND_BUFFER_BYTES = 8192
"""Descriptors in messages that nobody reads keep memory alive: a handful of messages is enough."""


class FrameServer:
    """Serves any number of streams on one socket path. On one event loop, but for `Stream.put`."""

    def __init__(self, path: Path, mode: int = 0o660, group: str | None = None, slots: int = SLOTS) -> None:
        self._path = path
        self._mode = mode
        self._group = group
        self._slots = slots
        self._streams: dict[str, Stream] = {}
        self._clients: set[_Client] = set()
        self._listening: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    async def start(self) -> None:
        """Listen. Raises OSError when another agent listens there or the folder cannot be used."""
        self._loop = asyncio.get_running_loop()
        self._listening = await asyncio.to_thread(listen, self._path, self._mode, self._group)
        self._loop.add_reader(self._listening, self._accept, self._listening)

    async def close(self) -> None:
        """End all streams and take leave of all clients."""
        if self._listening is not None and self._loop is not None:
            listening, self._listening = self._listening, None
            self._loop.remove_reader(listening)
            listening.close()
            self._path.unlink(missing_ok=True)
        for client in list(self._clients):
            self._leave(client)
        for stream in self._streams.values():
            stream.end()
        self._streams.clear()

    def stream(self, stream_id: str) -> Stream:
        """The stream of this id, made if there is none (then `start` must have been called)."""
        present = self._streams.get(stream_id)
        if present is not None:
            return present
        loop = self._loop
        assert loop is not None, "FrameServer.start was not called"

        def moved() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                loop.call_soon_threadsafe(self._offer, stream)

        stream = self._streams[stream_id] = Stream(stream_id, moved, self._slots)
        for client in self._clients:
            client.stream_is_there(stream)
        return stream

    def end(self, stream_id: str) -> None:
        """The stream has no more pictures; its clients are told."""
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return
        stream.end()
        for client in list(self._clients):
            client.stream_is_gone(stream)

    def _offer(self, stream: Stream) -> None:
        for client in list(self._clients):
            client.offer(stream)

    def _accept(self, listening: socket.socket) -> None:
        assert self._loop is not None
        try:
            connection, _ = listening.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # No descriptors left: the client waits in the queue, and would be reported again at once.
            logger.warning("a frame client must wait: %s", error)
            self._loop.remove_reader(listening)
            self._loop.call_later(_ACCEPT_AGAIN_S, self._listen_again, listening)
            return
        if len(self._clients) >= MAX_CLIENTS:
            logger.warning("more than %d frame clients, one is sent away", MAX_CLIENTS)
            connection.close()
            return
        self._clients.add(_Client(connection, self._loop, self._streams, self._leave))

    def _listen_again(self, listening: socket.socket) -> None:
        if self._listening is listening and self._loop is not None:
            self._loop.add_reader(listening, self._accept, listening)

    def _leave(self, client: "_Client") -> None:
        self._clients.discard(client)
        client.close()


class _Client:
    """One connection: what it wants, what it reads, what it is still to be told. On the loop."""

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        streams: dict[str, Stream],
        leave: Callable[["_Client"], None],
    ) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._connection = connection
        self._loop = loop
        self._present = streams
        self._leave = leave
        self._wanted: frozenset[str] = frozenset()
        self._read: dict[Stream, int] = {}
        """The eventfd of each stream this client reads."""
        self._pending: dict[str, Stream | None] = {}
        """By stream id: what is to be said next, None that it has ended."""
        self._closed = False
        loop.add_reader(connection, self._receive)

    def stream_is_there(self, stream: Stream) -> None:
        if stream.id not in self._wanted or stream in self._read:
            return
        try:
            eventfd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except OSError as error:
            logger.warning("no descriptor for a frame client: %s", error)
            return
        self._read[stream] = eventfd
        stream.add_reader(eventfd)
        self.offer(stream)

    def stream_is_gone(self, stream: Stream) -> None:
        eventfd = self._read.pop(stream, None)
        if eventfd is None:
            return
        stream.remove_reader(eventfd)
        os.close(eventfd)
        self._pending.pop(stream.id, None)
        self._pending[stream.id] = None
        self._send()

    def offer(self, stream: Stream) -> None:
        """Tell where the stream lies, if this client reads it."""
        if stream in self._read:
            self._pending[stream.id] = stream
            self._send()

    def close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        self._connection.close()
        for stream, eventfd in self._read.items():
            stream.remove_reader(eventfd)
            os.close(eventfd)
        self._read.clear()

    def _receive(self) -> None:
        try:
            data = self._connection.recv(MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._leave(self)
            return
        try:
            wanted = frozenset(WantMessage.model_validate_json(data).ids)
        except ValidationError as error:
            logger.warning("a frame client is not understood, it is sent away: %s", error.errors()[0]["msg"])
            self._leave(self)
            return
        self._want(wanted)

    def _want(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        for stream in [stream for stream in self._read if stream.id not in wanted]:
            self.stream_is_gone(stream)
        for stream_id in sorted(wanted & self._present.keys()):
            self.stream_is_there(self._present[stream_id])

    def _send(self) -> None:
        """As much as the socket takes; the rest when it takes more."""
        while self._pending and not self._closed:
            stream_id, stream = next(iter(self._pending.items()))
            try:
                if stream is None:
                    self._connection.send(_json(EndMessage(id=stream_id)))
                else:
                    self._send_stream(stream)
            except BlockingIOError:
                self._loop.add_writer(self._connection, self._send)
                return
            except OSError:
                self._leave(self)
                return
            del self._pending[stream_id]
        if not self._closed:
            self._loop.remove_writer(self._connection)

    def _send_stream(self, stream: Stream) -> None:
        with stream.memory() as ring:
            if ring is None:  # comes with the first picture
                return
            message = StreamMessage(id=stream.id, bytes=ring.layout.size)
            socket.send_fds(self._connection, [_json(message)], [ring.fd, self._read[stream]])


def _json(message: StreamMessage | EndMessage) -> bytes:
    return message.model_dump_json(by_alias=True).encode()
