# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Janus with its VideoCall plugin, from a configuration folder of its own, on loopback."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import wait_listening
from tests.programs import free_port

_STOP_S = 10.0
_OTHER_PLUGINS = (
    *("audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay"),
    *("sip", "streaming", "textroom", "videoroom", "voicemail"),
)
_OTHER_TRANSPORTS = ("http", "mqtt", "nanomsg", "pfunix", "rabbitmq")


class NoJanus(Exception):
    """It is not installed; one sentence."""


@dataclass(frozen=True, slots=True)
class Janus:
    url: str
    pid: int


@contextmanager
def running_janus() -> Iterator[Janus]:
    """Raises NoJanus."""
    program = shutil.which("janus")
    if program is None:
        raise NoJanus("Debian's janus is not installed")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="callagent-janus-") as name:
        folder = Path(name)
        _configure(folder, port)
        log = folder / "log"
        command = [program, "--configs-folder", name, "--config", str(folder / "janus.jcfg")]
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/"
            )
        try:
            wait_listening(port, process, log)
            yield Janus(f"ws://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _configure(folder: Path, port: int) -> None:
    """Debian's defaults, but for ports and for what is not needed here."""
    plugins = ",".join(f"libjanus_{name}.so" for name in _OTHER_PLUGINS)
    transports = ",".join(f"libjanus_{name}.so" for name in _OTHER_TRANSPORTS)
    (folder / "janus.jcfg").write_text(
        "general: { debug_level = 2 debug_colors = false }\n"
        f'plugins: {{ disable = "{plugins}" }}\n'
        f'transports: {{ disable = "{transports}" }}\n'
        "events: { broadcast = false }\n"
    )
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{ json = "compact" ws = true ws_ip = "127.0.0.1" ws_port = {port} wss = false }}\n'
        "admin: { admin_ws = false admin_wss = false }\n"
    )
    (folder / "janus.plugin.videocall.jcfg").write_text("general: { events = false }\n")
