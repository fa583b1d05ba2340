# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Redis on a port of its own, keeping nothing on disk."""

import shutil
import subprocess
from types import TracebackType

from tests.ports import wait_listening
from tests.programs import free_port


class RedisServer:
    """A context manager; inside it can be killed and started again on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Raises FileNotFoundError when Redis is not installed."""
        path = shutil.which("redis-server")
        if path is None:
            raise FileNotFoundError("Debian's redis-server is not installed: .ci/packages test")
        options = f"--bind 127.0.0.1 --port {self.port} --appendonly no --daemonize no --save"
        self._process = subprocess.Popen(
            [path, *options.split(), ""], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/"
        )
        wait_listening(self.port, self._process)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
