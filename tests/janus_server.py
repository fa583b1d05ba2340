# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Janus from a configuration folder of its own, on free ports of loopback.

Its media is on the machine's own address: Janus never uses the loopback interface for it.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import pytest

from callagent.server.settings import MediaServer
from tests.ports import wait_listening
from tests.programs import free_port

API_SECRET, ADMIN_SECRET = "between-us", "above-us"
_UNUSED_PLUGINS = (
    *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay"),
    *("sip", "streaming", "textroom", "videocall", "voicemail"),
)
_UNUSED_TRANSPORTS = ("http", "mqtt", "nanomsg", "pfunix", "rabbitmq")
_ANSWER_S = 10.0


def janus_program() -> str:
    """Skips the test where Debian has no such package; anywhere else it must be installed."""
    path = shutil.which("janus")
    if path is None:
        release = Path("/etc/os-release").read_text()
        if "VERSION_CODENAME=trixie" in release:
            pytest.skip("not run: Debian 13 has no package janus")
        raise FileNotFoundError("Debian's janus is not installed: .ci/packages test")
    return path


class JanusServer:
    """A context manager; inside it can be killed and started again on the same ports."""

    def __init__(self) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="callagent-janus-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def settings(self) -> MediaServer:
        return MediaServer(self.url, API_SECRET)

    @property
    def config(self) -> dict[str, Any]:
        """Its entry in the service's `media_servers`."""
        return {"url": self.url, "api_secret": API_SECRET}

    def start(self) -> None:
        program = janus_program()
        self._write_configuration()
        log = self.folder / "log"
        command = [program, "--configs-folder", str(self.folder), "--config", str(self.folder / "janus.jcfg")]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/"
            )
        wait_listening(self.port, self._process, log)
        wait_listening(self.admin_port, self._process, log)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    async def sessions(self) -> list[int]:
        """By its admin API."""
        async with (
            aiohttp.ClientSession() as web,
            _asking(web, self.admin_port, "janus-admin-protocol") as ws,
        ):
            listed = await _ask(ws, {"janus": "list_sessions", "admin_secret": ADMIN_SECRET})
            return [int(number) for number in listed["sessions"]]

    async def rooms(self) -> list[str]:
        """The descriptions of all rooms."""
        return [room["description"] for room in (await self.video_room({"request": "list"}))["list"]]

    async def video_room(self, body: dict[str, Any]) -> dict[str, Any]:
        """Asks the VideoRoom plugin, in a session of its own."""
        async with aiohttp.ClientSession() as web, _asking(web, self.port, "janus-protocol") as ws:
            secret = {"apisecret": API_SECRET}
            session = (await _ask(ws, {"janus": "create"} | secret))["data"]["id"]
            at = {"session_id": session} | secret
            plugin = {"plugin": "janus.plugin.videoroom"}
            handle = (await _ask(ws, {"janus": "attach"} | plugin | at))["data"]["id"]
            answer = await _ask(ws, {"janus": "message", "handle_id": handle, "body": body} | at)
            await _ask(ws, {"janus": "destroy"} | at)
            data: dict[str, Any] = answer["plugindata"]["data"]
            return data

    def __enter__(self) -> "JanusServer":
        try:
            self.start()
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clean()

    def _clean(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def _write_configuration(self) -> None:
        """What docs/call-service.md advises, on loopback."""
        disabled = ",".join(f"libjanus_{name}.so" for name in _UNUSED_PLUGINS)
        unused = ",".join(f"libjanus_{name}.so" for name in _UNUSED_TRANSPORTS)
        (self.folder / "janus.jcfg").write_text(
            f"""
general: {{
    debug_level = 3
    debug_colors = false
    debug_timestamps = true
    api_secret = "{API_SECRET}"
    admin_secret = "{ADMIN_SECRET}"
    session_timeout = 60
    reclaim_session_timeout = 60
}}
media: {{ ipv6 = false }}
nat: {{ nice_debug = false }}
plugins: {{ disable = "{disabled}" }}
transports: {{ disable = "{unused}" }}
events: {{ broadcast = false }}
"""
        )
        (self.folder / "janus.transport.websockets.jcfg").write_text(
            f"""
general: {{ json = "compact" ws = true ws_ip = "127.0.0.1" ws_port = {self.port} wss = false }}
admin: {{ admin_ws = true admin_ws_ip = "127.0.0.1" admin_ws_port = {self.admin_port} admin_wss = false }}
"""
        )
        (self.folder / "janus.plugin.videoroom.jcfg").write_text("general: { events = false }\n")


def _asking(web: aiohttp.ClientSession, port: int, protocol: str) -> Any:
    return web.ws_connect(f"ws://127.0.0.1:{port}", protocols=(protocol,))


async def _ask(ws: aiohttp.ClientWebSocketResponse, request: dict[str, Any]) -> dict[str, Any]:
    await ws.send_str(json.dumps(request | {"transaction": "test"}))
    while True:
        answer: dict[str, Any] = json.loads(await ws.receive_str(timeout=_ANSWER_S))
        if answer["janus"] not in ("ack", "event"):
            assert answer["janus"] != "error", answer
            return answer
