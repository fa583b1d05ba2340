# SPDX-License-Identifier: GPL-3.0-or-later
"""Two kiosks in networks that reach each other by nothing but the relay, as docs/networks.md sets it up."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.outage import Cable, cable
from callagent.server.tls import local_tls
from tests.coturn import coturn_as_documented
from tests.integration.test_kiosk_calls import TONES_HZ, connect, media_flows
from tests.programs import Kiosk, Service, running

SECRET = "both-of-them-come-here"
ANNAS_NET, BENS_NET = 215, 216
KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), 1.0).close()
except ConnectionRefusedError:
    print("yes")
except OSError:
    print("no")
else:
    print("yes")
"""


def forward_nothing(wire: Cable) -> None:
    """Whatever this machine does for others: a machine with containers passes on what comes to it."""
    line = subprocess.run(
        ["ip", "-o", "-4", "addr", "show", "to", f"{wire.here}/32"],
        check=True,
        capture_output=True,
        text=True,
    )
    name = line.stdout.split()[1]
    Path(f"/proc/sys/net/ipv4/conf/{name}/forwarding").write_text("0")


@pytest.fixture
def wires() -> Any:
    """Takes root."""
    with cable(ANNAS_NET) as annas, cable(BENS_NET) as bens:
        for wire in (annas, bens):
            forward_nothing(wire)
        yield annas, bens


@pytest.fixture
async def sides(tmp_path: Path, wires: tuple[Cable, Cable]) -> AsyncIterator[tuple[Kiosk, Kiosk]]:
    annas, bens = wires
    local_tls(tmp_path, [annas.here])
    networks = f"{annas.here}-{annas.here.rpartition('.')[0]}.254"
    async with contextlib.AsyncExitStack() as stack:
        relay = coturn_as_documented(tmp_path, SECRET, tmp_path / "server.pem", networks, annas.here)
        port, _ = await stack.enter_async_context(relay)
        turn = {"host": annas.here, "secret": SECRET, "udp_port": port, "tcp_port": port}
        service = Service(tmp_path, "0.0.0.0", ice={"turn": [turn]})
        await stack.enter_async_context(running(service))
        url = f"http://{annas.here}:{service.http_port}"
        made = []
        for user, wire in (("anna", annas), ("ben", bens)):
            sections: dict[str, Any] = {
                "service": {"allow_insecure": True},
                "microphone": {"virtual": {"tone_hz": TONES_HZ[user]}},
            }
            made.append(Kiosk(user, service.ticket(user), url, tmp_path, within=wire.within, **sections))
        await stack.enter_async_context(running(*made))
        yield made[0], made[1]


async def reaches(wire: Cable, address: str) -> bool:
    """Whether somebody at the far end of the wire gets any answer from there."""
    process = await asyncio.create_subprocess_exec(
        *(*wire.within, sys.executable, "-c", KNOCK, address), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said in (b"yes\n", b"no\n")
    return said == b"yes\n"


async def test_the_relay_joins_them(wires: tuple[Cable, Cable], sides: tuple[Kiosk, Kiosk]) -> None:
    annas, bens = wires
    for wire, other in ((annas, bens), (bens, annas)):
        assert await reaches(wire, wire.here)
        assert not await reaches(wire, f"{other.here.rpartition('.')[0]}.2")
    anna, ben = sides
    await connect(anna, ben)
    await media_flows(ben, anna)
    await media_flows(anna, ben)
