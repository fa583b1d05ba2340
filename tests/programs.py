# SPDX-License-Identifier: GPL-3.0-or-later
"""The real programs as context managers: `callagent serve` and `callagent run` in processes of their own.

They are driven as a user would, through the command line, the control socket and
the service's addresses, and judged by what they report and record.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from callagent.client import AgentClient, AgentUnreachable
from callagent.config import load_server_config
from callagent.protocol import control as api
from callagent.protocol.enums import LoginState
from callagent.protocol.usersig import make_usersig
from callagent.server.accounts import Accounts

START_S = 30.0
APP_ID = 1400000001
PORTS = range(16384, 32768)
"""Below those that Linux gives to whoever asks for any (ip_local_port_range, 32768 upwards)."""
_NEXT_PORT = Path(tempfile.gettempdir(), "callagent-test-ports")


def free_port(address: str = "127.0.0.1") -> int:
    """One that nobody listens at, over TCP or UDP, and that nobody else gets until the range has gone round.

    The kernel's own choice (`bind` to port 0) may be given again, to any connection of another test, before
    the program that it was meant for has come to listen.
    """
    with _NEXT_PORT.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        said = file.read()
        port = int(said) if said else PORTS.start
        for _ in PORTS:
            given, port = port, port + 1 if port + 1 in PORTS else PORTS.start
            if _is_free(address, given):
                file.truncate(0)
                file.write(str(port))
                return given
    raise AssertionError(f"no port of {PORTS} is free at {address}")


def _is_free(address: str, port: int) -> bool:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
    ):
        try:
            datagrams.bind((address, port))
            stream.bind((address, port))
        except OSError:
            return False
        return True


class Program:
    """One `callagent` process; its output goes to a log file that a failing test shows."""

    def __init__(self, name: str, arguments: list[str], folder: Path, within: Sequence[str] = ()) -> None:
        """`within`: a command that runs another, such as `ip netns exec NAME`."""
        self._command = [*within, sys.executable, "-m", "callagent", *arguments]
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        with self.log.open("ab") as log:
            environment = os.environ | {"PYTHONWARNINGS": "error::ResourceWarning"}
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    async def stop(self, deadline_s: float = 10.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self.process.wait, deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end on SIGTERM:\n{self.tail()}") from None

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Service:
    """The call service on ports of its own, with its storage in a folder."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", **sections: Any) -> None:
        """`host` is what plain HTTP listens at, of any network that is there only for a test; `sections` are
        further ones of the configuration.
        """
        self.folder = folder
        self.https_port, self.http_port = free_port(), free_port()
        self.config = folder / "server.yaml"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "listen": {
                        "https": {"host": "0.0.0.0", "port": self.https_port},
                        "http": {
                            "host": host,
                            "port": self.http_port,
                            "allow_insecure": host != "127.0.0.1",
                        },
                    },
                    "storage": {"directory": str(folder / "storage")},
                    **sections,
                }
            )
        )
        self.program = Program("service", ["serve", "-c", str(self.config)], folder)
        self.secret = ""
        """The app's secret key, once the service is up."""

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    async def start(self) -> None:
        self.program.launch()
        await self.ready()

    async def ready(self) -> None:
        await until(self._healthy, START_S, lambda: f"the service is not up:\n{self.program.tail()}")
        async with Accounts.open(load_server_config(self.config).storage.database_url) as accounts:
            self.secret = await accounts.secret(APP_ID)

    async def _healthy(self) -> bool:
        assert self.program.running, self.program.tail()
        try:
            async with aiohttp.ClientSession() as web, web.get(f"{self.http_url}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def ticket(self, user: str, *, expire_s: int = 3600, age_s: float = 0) -> str:
        """A UserSig made `age_s` seconds ago, as the secret's holder would."""
        return make_usersig(APP_ID, self.secret, user, expire_s, now=time.time() - age_s)

    def command(self, *arguments: str) -> str:
        """Run `callagent ...` on this service's configuration; what it printed."""
        command = [sys.executable, "-m", "callagent", *arguments, "-c", str(self.config)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()


class Kiosk:
    """An agent on virtual devices that record what they are given."""

    def __init__(
        self,
        user: str,
        usersig: str,
        service_url: str,
        folder: Path,
        *,
        within: Sequence[str] = (),
        **sections: Any,
    ) -> None:
        """`within`: see `Program`."""
        self.user = user
        self.folder = folder / user
        self.folder.mkdir()
        self.socket = self.folder / "agent.sock"
        self.sound = self.folder / "speaker.wav"
        self.pictures = self.folder / "screen.jsonl"
        config: dict[str, Any] = {
            "service": {"url": service_url},
            "identity": {"user": user, "usersig": usersig, "device_id": f"kiosk-{user}"},
            "camera": {"device": "virtual"},
            "microphone": {"device": "virtual"},
            "speaker": {"device": "virtual", "virtual": {"record": str(self.sound)}},
            "screen": {"virtual": {"record": str(self.pictures)}},
            "control": {"socket": str(self.socket)},
            # No hardware of this machine.
            "video": {"encoders": ["libx264", "libvpx"]},
        }
        for name, section in sections.items():
            config[name] = config.get(name, {}) | section
        self.config = self.folder / "callagent.yaml"
        self.config.write_text(yaml.safe_dump(config))
        self.program = Program("agent", ["run", "-c", str(self.config)], self.folder, within)

    async def start(self) -> None:
        self.program.launch()
        await self.ready()

    async def ready(self) -> None:
        await self.until(lambda status: status.login is LoginState.ONLINE, "not logged in", START_S)

    def client(self) -> AgentClient:
        return AgentClient(self.socket)

    async def status(self) -> api.StatusData | None:
        """None while nobody listens on the socket."""
        try:
            async with self.client() as client:
                return await client.status()
        except AgentUnreachable:
            return None

    async def until(
        self, condition: Callable[[api.StatusData], bool], what: str, deadline_s: float = 15.0
    ) -> api.StatusData:
        """Wait until the agent's own status fulfils the condition."""
        last: list[api.StatusData] = []

        async def fulfilled() -> bool:
            assert self.program.running, self.program.tail()
            status = await self.status()
            if status is not None:
                last[:] = [status]
            return status is not None and condition(status)

        await until(fulfilled, deadline_s, lambda: f"{what}: {last}\n{self.program.tail()}")
        return last[0]

    async def until_state(self, state: str, deadline_s: float = 15.0) -> api.StatusData:
        return await self.until(lambda status: status.state == state, f"not {state}", deadline_s)

    def seen(self) -> list[dict[str, Any]]:
        """The frame codes read off the remote picture so far."""
        if not self.pictures.exists():
            return []
        lines = self.pictures.read_text().splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]


async def until(
    condition: Callable[[], Any], deadline_s: float, failure: Callable[[], str], pause_s: float = 0.05
) -> None:
    """Ask every `pause_s` seconds until the (async) condition holds; AssertionError after the deadline."""
    try:
        async with asyncio.timeout(deadline_s):
            while not await condition():
                await asyncio.sleep(pause_s)
    except TimeoutError:
        raise AssertionError(failure()) from None


@contextlib.asynccontextmanager
async def running(*programs: Service | Kiosk) -> AsyncIterator[None]:
    """Start them side by side; stop them in the reverse order, the hard way when need be."""
    started: list[Service | Kiosk] = []
    try:
        for program in programs:
            started.append(program)
            program.program.launch()
        for program in programs:
            await program.ready()
        yield
    finally:
        for program in reversed(started):
            if program.program.running:
                await program.program.stop()
