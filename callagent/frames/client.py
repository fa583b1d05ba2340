# SPDX-License-Identifier: Apache-2.0
"""A reader of the frame channel: the screen, or any program of the agent's machine.

No thread and no event loop of its own: `step` does what there is to do, and `fileno` is readable when there
is something. It connects by itself, and again when the agent was restarted.
"""

import logging
import os
import select
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from callagent.frames.ring import Picture, RingReader
from callagent.protocol.frames import (
    AGENT_MESSAGE,
    FRAMES_SERVICE_SOCKET_PATH,
    FRAMES_SOCKET_NAME,
    MAX_MESSAGE_BYTES,
    EndMessage,
    FrameFormatError,
    StreamMessage,
    WantMessage,
)

logger = logging.getLogger(__name__)

FRAMES_VARIABLE = "CALLAGENT_FRAMES"
RETRY_S = 0.5
_MESSAGES_A_STEP = 32
_DESCRIPTORS = 2


def default_frames_path() -> Path:
    """$CALLAGENT_FRAMES, else the service's socket where there is one, else that of the user's own agent."""
    if given := os.environ.get(FRAMES_VARIABLE):
        return Path(given)
    service = Path(FRAMES_SERVICE_SOCKET_PATH)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if service.exists() or not runtime:
        return service
    return Path(runtime) / FRAMES_SOCKET_NAME


@dataclass(frozen=True, slots=True)
class _Incoming:
    ring: RingReader
    eventfd: int


class FrameClient:
    """A context manager. All of it on one thread."""

    def __init__(self, path: Path | None = None, retry_s: float = RETRY_S) -> None:
        """`path` None: `default_frames_path()`. `retry_s`: how long after a failure it connects anew."""
        self._path = path if path is not None else default_frames_path()
        self._retry_s = retry_s
        self._epoll = select.epoll()
        self._socket: socket.socket | None = None
        self._next_attempt = 0.0
        self._wanted = WantMessage(ids=[])
        self._incoming: dict[str, _Incoming] = {}
        self._stream_of: dict[int, str] = {}
        """By eventfd."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connected(self) -> bool:
        return self._socket is not None

    @property
    def streams(self) -> frozenset[str]:
        """Those that are there and wanted."""
        return frozenset(self._incoming)

    def fileno(self) -> int:
        """For select, poll or a QSocketNotifier: readable when `step` has something to do.

        Not for connecting anew: while not `connected`, call `step` now and then.
        """
        return self._epoll.fileno()

    def want(self, stream_ids: Iterable[str]) -> None:
        """Read these streams and no others, whenever they are there. Raises ValueError for what is no id."""
        self._wanted = WantMessage(ids=sorted(set(stream_ids)))
        self._say_wanted()

    def step(self, timeout_s: float = 0.0) -> frozenset[str]:
        """Wait at most so long, do what there is to do: the streams that have a picture, or have ended."""
        deadline = time.monotonic() + timeout_s
        while True:
            news = self._connect_if_due()
            left = max(0.0, deadline - time.monotonic())
            if self._socket is None:
                left = min(left, max(0.0, self._next_attempt - time.monotonic()))
            news |= self._handle(self._epoll.poll(left))
            if news or time.monotonic() >= deadline:
                return frozenset(news)

    @contextmanager
    def read(self, stream_id: str, seen: int = 0) -> Iterator[Picture | None]:
        """As `RingReader.read`; None as well for a stream that is not there."""
        incoming = self._incoming.get(stream_id)
        if incoming is None:
            yield None
            return
        with incoming.ring.read(seen) as picture:
            yield picture

    def close(self) -> None:
        self._disconnect()
        self._epoll.close()

    def _connect_if_due(self) -> set[str]:
        if self._socket is not None or time.monotonic() < self._next_attempt:
            return set()
        connection = socket.socket(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        try:
            connection.connect(str(self._path))
        except OSError:  # no agent, none yet, or a full queue: all to be tried again
            connection.close()
            self._next_attempt = time.monotonic() + self._retry_s
            return set()
        self._socket = connection
        self._epoll.register(connection, select.EPOLLIN)
        return self._say_wanted()

    def _say_wanted(self) -> set[str]:
        if self._socket is None:
            return set()
        try:
            self._socket.send(self._wanted.model_dump_json(by_alias=True).encode())
        except OSError:
            return self._disconnect()
        return set()

    def _handle(self, ready: list[tuple[int, int]]) -> set[str]:
        news: set[str] = set()
        for fd, _ in ready:
            if self._socket is not None and fd == self._socket.fileno():
                news |= self._receive()
            elif (stream_id := self._stream_of.get(fd)) is not None:
                try:
                    os.eventfd_read(fd)
                except BlockingIOError:
                    continue
                news.add(stream_id)
        return news

    def _receive(self) -> set[str]:
        news: set[str] = set()
        for _ in range(_MESSAGES_A_STEP):
            assert self._socket is not None
            try:
                data, fds, _flags, _address = socket.recv_fds(
                    self._socket, MAX_MESSAGE_BYTES, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                break
            except OSError:
                data, fds = b"", []
            if not data:
                return news | self._disconnect()
            news |= self._take(data, fds)
        return news

    def _take(self, data: bytes, fds: list[int]) -> set[str]:
        """One message; descriptors that are not kept are closed."""
        try:
            message = AGENT_MESSAGE.validate_json(data)
        except ValidationError:  # of a newer agent
            message = None
        if isinstance(message, StreamMessage) and len(fds) == _DESCRIPTORS:
            return self._begin(message, *fds)
        for fd in fds:
            os.close(fd)
        if isinstance(message, EndMessage):
            return self._end(message.id)
        return set()

    def _begin(self, message: StreamMessage, memory: int, eventfd: int) -> set[str]:
        self._end(message.id)
        try:
            ring = RingReader(memory)
        except (FrameFormatError, OSError) as error:
            logger.warning("stream %s cannot be read: %s", message.id, error)
            os.close(eventfd)
            return {message.id}
        finally:
            os.close(memory)
        self._incoming[message.id] = _Incoming(ring, eventfd)
        self._stream_of[eventfd] = message.id
        self._epoll.register(eventfd, select.EPOLLIN)
        return {message.id}

    def _end(self, stream_id: str) -> set[str]:
        incoming = self._incoming.pop(stream_id, None)
        if incoming is None:
            return set()
        self._epoll.unregister(incoming.eventfd)
        del self._stream_of[incoming.eventfd]
        os.close(incoming.eventfd)
        incoming.ring.close()
        return {stream_id}

    def _disconnect(self) -> set[str]:
        """All streams end."""
        news = set(self._incoming)
        for stream_id in news:
            self._end(stream_id)
        if self._socket is not None:
            self._epoll.unregister(self._socket)
            self._socket.close()
            self._socket = None
            self._next_attempt = time.monotonic() + self._retry_s
        return news
