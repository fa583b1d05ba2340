# SPDX-License-Identifier: GPL-3.0-or-later
"""callagent in the guest: installed as README says, run by systemd, driven through its control socket."""

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from callagent.client import AgentClient, AgentUnreachable
from callagent.protocol import control as api
from callagent.protocol.enums import LoginState
from tests.lab.machine import HOST, Machine
from tests.lab.waiting import until
from tests.programs import Kiosk, Service

ROOT = Path(__file__).parents[2]
USER = "kiosk"
CONFIG = "/etc/callagent/callagent.yaml"
START_S = 60.0
CARRIED = {"width": 320, "height": 240, "fps": 3}
"""Pictures that software emulation of two cores can carry beside the sound."""
WATCHED_FPS = 2
"""Of the pictures the guest receives, which no test looks at closely."""
SENT = CARRIED | {"codecs": ["VP8"], "bitrate_bps": 100_000}
"""A picture in two packets or three, since there each costs the agent some milliseconds."""
SOUND = {"application": "low_delay", "packet_ms": 60, "complexity": 0}
"""The least work that sound can be."""
PERIOD = {"period_ms": 40}
"""Waking up a hundred times a second is work of its own."""
PATIENT = {"silence_s": 30}
"""A guest that is k times slower may be silent for longer than a real machine."""


def install(machine: Machine) -> None:
    """What README's section for a real machine does; PyPI's packages are in the image already."""
    dist = machine.share / "dist"
    command = [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "-w", str(dist), str(ROOT)]
    subprocess.run(command, check=True, timeout=120, stderr=subprocess.PIPE)
    shutil.copytree(ROOT / "systemd", machine.share / "systemd")
    shutil.copytree(ROOT / "tests/lab/guest", machine.share / "guest")
    machine.run(
        """set -e
        /opt/callagent/bin/pip -q install --no-deps --no-index /share/dist/callagent-*.whl
        cp /share/systemd/callagent.service /etc/systemd/system/
        cp /share/systemd/callagent.sysusers /usr/lib/sysusers.d/callagent.conf && systemd-sysusers
        cp /share/systemd/60-callagent.rules /usr/lib/udev/rules.d/ && udevadm control --reload
        install -d /etc/callagent && ln -sf /opt/callagent/bin/callagent /usr/local/bin/
        systemctl daemon-reload
        # vhci_hcd's complaints are no use in the journal, and cost a twentieth of a processor.
        mkdir -p /run/systemd/journald.conf.d
        printf '[Journal]\nReadKMsg=no\n' >/run/systemd/journald.conf.d/lab.conf
        systemctl restart systemd-journald""",
        timeout_s=120,
    )
    machine.background(
        f"python3 /share/guest/bridge.py {machine.CONTROL_PORT} {api.SERVICE_SOCKET_PATH}", "bridge.log"
    )


def lab_caller(service: Service) -> Kiosk:
    """The other side of calls: an agent here, on virtual devices."""
    return Kiosk(
        *("anna", service.ticket("anna"), service.http_url, service.folder),
        camera=CARRIED | {"fps": WATCHED_FPS},
        video=SENT,
        audio=SOUND,
        media=PATIENT,
        microphone=PERIOD,
        speaker=PERIOD,
    )


class GuestKiosk:
    """The installed agent; its configuration is written anew for each test."""

    def __init__(self, machine: Machine, service: Service, folder: Path) -> None:
        self.machine = machine
        self._service = service
        self._socket = folder / "guest.sock"
        self._bridge: asyncio.Server | None = None

    async def run(self, command: str, **more: Any) -> str:
        """A shell command in the guest; what it printed."""
        return (await asyncio.to_thread(self.machine.run, command, **more)).out

    async def start(self, **sections: Any) -> None:
        """Write the configuration, start the unit, wait until it is online."""
        config: dict[str, Any] = {
            "service": {"url": f"http://{HOST}:{self._service.http_port}", "allow_insecure": True},
            "identity": {"user": USER, "usersig": self._service.ticket(USER), "device_id": "guest"},
            "camera": CARRIED,
            "video": SENT,
            "media": PATIENT,
            "microphone": PERIOD,
            "speaker": PERIOD | {"volume": 100, "buffer_ms": 200},
            # The laboratory's sound cards are looped back and carry tones: there is no room.
            "audio": SOUND
            | {
                "echo_cancellation": "off",
                "noise_suppression": "off",
                "gain_control": False,
                "high_pass": False,
            },
        }
        for name, section in sections.items():
            merge = isinstance(section, dict) and isinstance(config.get(name), dict)
            config[name] = config[name] | section if merge else section
        # JSON is YAML, and has no aliases for what is there twice.
        (self.machine.share / "callagent.yaml").write_text(json.dumps(config))
        await self.run(f"cp /share/callagent.yaml {CONFIG} && chown callagent {CONFIG} && chmod 600 {CONFIG}")
        done = await asyncio.to_thread(
            self.machine.run, "systemctl restart callagent", check=False, timeout_s=START_S
        )
        assert done.code == 0, done.err + self.journal()
        await self.until(lambda status: status.login is LoginState.ONLINE, "not online", START_S)

    async def stop(self) -> None:
        await self.run("systemctl stop callagent", timeout_s=30)

    def client(self) -> AgentClient:
        return AgentClient(self._socket, timeout_s=30)

    async def status(self) -> api.StatusData | None:
        """None while nobody listens."""
        try:
            async with self.client() as client:
                return await client.status()
        except AgentUnreachable:
            return None

    async def until(
        self, condition: Callable[[api.StatusData], bool], what: str, deadline_s: float = 40.0
    ) -> api.StatusData:
        """Wait until the agent's own status fulfils the condition."""
        last: list[api.StatusData | None] = [None]

        async def fulfilled() -> bool:
            last[0] = await self.status()
            return last[0] is not None and condition(last[0])

        def failure() -> str:
            return f"{what}: {last[0]}\n{self.journal()}"

        await until(fulfilled, deadline_s, failure)
        assert last[0] is not None
        return last[0]

    async def until_state(self, state: str, deadline_s: float = 40.0) -> api.StatusData:
        return await self.until(lambda status: status.state == state, f"not {state}", deadline_s)

    def journal(self, lines: int = 60) -> str:
        """The unit's last words."""
        return self.machine.run(f"journalctl -u callagent -n {lines} --no-pager -o short-monotonic").out

    def logged(self, pattern: str) -> list[float]:
        """When the agent logged lines that have it, in seconds on the guest's monotonic clock."""
        lines = [line for line in self.journal(400).splitlines() if re.search(pattern, line)]
        stamps = [re.match(r"\[ *([\d.]+)\]", line) for line in lines]
        return [float(stamp[1]) for stamp in stamps if stamp is not None]

    async def serve(self) -> None:
        """Bring the guest's control socket to a Unix socket here."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                far = await asyncio.open_connection("127.0.0.1", self.machine.control_port)
            except OSError:
                writer.close()
                return
            await asyncio.gather(_pump(reader, far[1]), _pump(far[0], writer))

        self._bridge = await asyncio.start_unix_server(carry, self._socket)

    async def close(self) -> None:
        if self._bridge is not None:
            self._bridge.close()
        await self.stop()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def guest_kiosk(machine: Machine, service: Service, folder: Path) -> AsyncIterator[GuestKiosk]:
    kiosk = GuestKiosk(machine, service, folder)
    await kiosk.serve()
    try:
        yield kiosk
    finally:
        await kiosk.close()
