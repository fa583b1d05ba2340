# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's two JSON channels: its monitor (QMP) and the agent inside the guest."""

import json
import random
import socket
from pathlib import Path
from typing import Any, Self


class ChannelError(Exception):
    """The other side answered with an error."""


class Channel:
    """Requests and answers as lines of JSON over a Unix socket. Blocking; a context manager."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def call(self, execute: str, **arguments: Any) -> Any:
        """One request and its answer. Raises ChannelError, OSError."""
        self._send({"execute": execute} | ({"arguments": arguments} if arguments else {}))
        while True:
            answer = self._receive()
            if "error" in answer:
                raise ChannelError(answer["error"].get("desc", answer["error"]))
            if "return" in answer:
                return answer["return"]

    def sync(self) -> Self:
        """Of the guest agent: leave answers behind to what an earlier connection asked."""
        try:
            self._sync(random.getrandbits(31))
        except OSError:
            self.__exit__()
            raise
        return self

    def _sync(self, token: int) -> None:
        self._socket.sendall(b"\xff")
        self._send({"execute": "guest-sync", "arguments": {"id": token}})
        while True:
            try:
                if self._receive().get("return") == token:
                    return
            except ValueError:
                continue

    def _send(self, request: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def _receive(self) -> dict[str, Any]:
        line = self._file.readline()
        if not line:
            raise ConnectionError("QEMU closed the channel")
        answer: dict[str, Any] = json.loads(line.lstrip(b"\xff"))
        return answer
