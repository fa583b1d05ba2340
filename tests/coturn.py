# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's coturn as a context manager: a relay for media (RFC 8656)."""

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.programs import free_port, until

DOCUMENT = Path(__file__).parents[1] / "docs" / "networks.md"
START_S = 20.0
_USER, _PASSWORD = "kiosk", "relayed"


@asynccontextmanager
async def coturn(address: str = "127.0.0.1") -> AsyncIterator[dict[str, Any]]:
    """Runs at this address, relays from it too; gives the entry for the service's `ice.servers`."""
    port = free_port(address)
    options = f"-n --no-cli -r callagent --no-tls --no-dtls -p {port} -a -u {_USER}:{_PASSWORD}"
    async with _running(address, port, options.split()):
        yield {"urls": [f"turn:{address}:{port}"], "username": _USER, "credential": _PASSWORD}


@asynccontextmanager
async def coturn_as_documented(
    folder: Path, secret: str, certificate: Path, networks: str, address: str = "127.0.0.1"
) -> AsyncIterator[tuple[int, int]]:
    """With the very file that docs/networks.md shows; gives the ports for UDP and TCP, and for TLS.

    `certificate`: PEM, with its key. `networks`: where media may be sent to, `FIRST-LAST`.
    """
    port, tls_port = free_port(address), free_port(address)
    here = {
        "listening-port=3478": f"listening-port={port}",
        "tls-listening-port=443": f"tls-listening-port={tls_port}",
        "static-auth-secret=A-LONG-RANDOM-TEXT": f"static-auth-secret={secret}",
        "cert=/etc/turn.pem": f"cert={certificate}",
        "pkey=/etc/turn.pem": f"pkey={certificate}",
        "allowed-peer-ip=10.0.0.0-10.255.255.255": f"allowed-peer-ip={networks}",
        "allowed-peer-ip=192.0.2.7": f"allowed-peer-ip={address}",
    }
    text = (DOCUMENT.read_text().split("`/etc/turnserver.conf`:\n\n```\n", 1)[1]).split("```", 1)[0]
    lines = text.splitlines()
    assert here.keys() <= set(lines), f"no longer in {DOCUMENT.name}: {here.keys() - set(lines)}"
    file = folder / "turnserver.conf"
    file.write_text("\n".join(here.get(line, line) for line in lines) + "\n")
    async with _running(address, port, ["-c", str(file)]):
        yield port, tls_port


def _database(folder: str) -> str:
    """One without users, but with the table in which coturn looks for more secrets."""
    path = f"{folder}/turndb"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE turn_secret (realm TEXT, value TEXT)")
    return path


@asynccontextmanager
async def _running(address: str, port: int, options: Sequence[str]) -> AsyncIterator[None]:
    path = shutil.which("turnserver")
    if path is None:
        raise FileNotFoundError("Debian's coturn is not installed: .ci/packages test")
    common = f"--allow-loopback-peers -L {address} -E {address} --log-file=stdout"
    with tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        process = await asyncio.create_subprocess_exec(
            *(path, *common.split(), *options, f"--pidfile={folder}/pid", f"--userdb={_database(folder)}"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

        async def listens() -> bool:
            assert process.returncode is None, f"coturn ended with {process.returncode}"
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                return False
            writer.close()
            await writer.wait_closed()
            return True

        try:
            await until(listens, START_S, lambda: "coturn does not listen")
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
