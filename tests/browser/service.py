# SPDX-License-Identifier: GPL-3.0-or-later
"""A call service of the tests' own, started as an operator starts it."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from callagent.config import load_server_config
from callagent.protocol.usersig import make_usersig
from callagent.server.accounts import Accounts

APP_ID = 1400000001
START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 10.0


@dataclass
class RunningService:
    """Where it listens, and tickets for it."""

    config: Path
    https_port: int
    http_port: int
    secret: str
    """The app's secret key."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        """The web phone on loopback, plain."""
        return f"http://127.0.0.1:{self.http_port}/phone/"

    @property
    def https_url(self) -> str:
        return f"https://127.0.0.1:{self.https_port}/phone/"

    def ticket(self, user: str, *, expire_s: int = 3600, age_s: float = 0) -> str:
        """A UserSig made `age_s` seconds ago."""
        return make_usersig(APP_ID, self.secret, user, expire_s, now=time.time() - age_s)

    def people(self, *names: str) -> tuple[str, ...]:
        """User ids nobody had before: what one test leaves behind does not concern the next."""
        number = next(self._numbers)
        return tuple(f"{name}-{number}" for name in names)

    def command(self, *arguments: str) -> str:
        """Run `callagent ...` on this service's configuration; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "callagent", *arguments, "-c", str(self.config)],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.strip()

    def link(self, user: str, *, https: bool = False) -> str:
        """The address that signs `user` in."""
        return f"{self.https_url if https else self.url}#user={user}&sig={self.ticket(user)}&app={APP_ID}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_service(directory: Path) -> Iterator[RunningService]:
    """Start `callagent serve` with its storage in `directory`; stop it at the end."""
    config, https_port, http_port = directory / "server.yaml", free_port(), free_port()
    settings = {
        "listen": {
            "https": {"host": "0.0.0.0", "port": https_port},
            "http": {"host": "127.0.0.1", "port": http_port},
        },
        "storage": {"directory": str(directory / "storage")},
    }
    config.write_text(json.dumps(settings), "utf-8")  # JSON is YAML
    log = directory / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "callagent", "serve", "-c", str(config)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            _wait_until_healthy(process, http_port, log)
            secret = asyncio.run(_secret(load_server_config(config).storage.database_url))
            yield RunningService(config, https_port, http_port, secret)
        finally:
            process.terminate()
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _secret(database_url: str) -> str:
    async with Accounts.open(database_url) as accounts:
        return await accounts.secret(APP_ID)


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended at its start:\n{log.read_text('utf-8', 'replace')}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the service did not come up:\n{log.read_text('utf-8', 'replace')}")
