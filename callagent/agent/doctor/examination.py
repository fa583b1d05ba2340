# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at this machine, topic by topic. What blocks is on a worker thread."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from callagent.agent.doctor import board, encoders, permissions, plugged, service, software
from callagent.agent.doctor.checks import Check, ok, problem, warning
from callagent.agent.encoding import encoder_order
from callagent.agent.hardware import find_hardware
from callagent.agent.peer_credentials import peer_of
from callagent.config import AgentConfig, ConfigError, load_agent_config
from callagent.config.profiles import load_profiles
from callagent.devices.board import board_facts
from callagent.devices.holders import SOUND_SERVERS, holders, running_programs
from callagent.devices.inventory import DeviceInfo, DeviceKind, Inventory
from callagent.protocol.control import StatusData
from callagent.protocol.errors import CallAgentError

_UDEV = "/run/udev"


@dataclass(frozen=True, slots=True)
class Running:
    """The agent of this machine, as its control socket shows it."""

    socket: Path
    status: StatusData | None = None
    """None: nobody answered."""
    reason: str = ""
    """Why not."""


@dataclass(slots=True)
class Scene:
    """What the topics share."""

    file: Path
    running: Running
    config: AgentConfig | None = None
    mistakes: ConfigError | None = None


Topic = Callable[[Scene], Awaitable[list[Check]]]


async def examine(
    file: Path, running: Running, topics: Sequence[str] = ()
) -> AsyncIterator[tuple[str, list[Check]]]:
    """Each topic with what was found, one after the other; by default all of TOPICS but ON_REQUEST. Never
    raises for what is wrong with the machine. `file`: the agent's configuration."""
    scene = Scene(file, running)
    try:
        scene.config = await asyncio.to_thread(load_agent_config, file)
    except ConfigError as error:
        scene.mistakes = error
    for name in topics or [each for each in TOPICS if each not in ON_REQUEST]:
        try:
            checks = await TOPICS[name](scene)
        except Exception as error:
            # On a machine that surprises in one way, everything else is still worth knowing.
            surprise = f"{name} could not be looked at: {type(error).__name__}: {error}"
            checks = [problem(surprise, "this is a mistake of ours: report it with this line")]
        yield name, checks


async def _configuration(scene: Scene) -> list[Check]:
    return await asyncio.to_thread(_read_configuration, scene)


def _read_configuration(scene: Scene) -> list[Check]:
    if scene.config is None:
        return _mistakes(scene)
    checks = [ok(f"{scene.file} is good")]
    identity = scene.config.identity
    secrets = [path for path in (identity.device_key_file, identity.usersig_file) if path is not None]
    account = permissions.service_account()
    for path in (scene.file.absolute(), *secrets):
        checks += _file_checks(path, permissions.file_node(path), account, secret=path in secrets)
    return checks


def _mistakes(scene: Scene) -> list[Check]:
    if not os.path.exists(scene.file):
        remedy = "write it; config/callagent.example.yaml holds every setting"
        return [problem(f"there is no configuration {scene.file} that can be seen", remedy)]
    if not os.access(scene.file, os.R_OK):
        return [warning(f"you may not read {scene.file}", "ask as root")]
    assert scene.mistakes is not None
    return [problem(str(mistake), "correct it there") for mistake in scene.mistakes.problems]


def _file_checks(
    path: Path, node: permissions.Node | None, account: permissions.Account | None, *, secret: bool
) -> list[Check]:
    if node is None:
        return [problem(f"{path} is missing or cannot be looked at", "make it: callagent enrol --help")]
    if account is not None and not account.may(node, False):
        return [problem(f"user {account.name} may not read {path}", f"chown {account.name} {path}")]
    if secret and node.mode & 0o004:
        return [warning(f"everybody may read {path}", f"chmod 600 {path}")]
    return [ok(f"{path} can be read")] if secret else []


async def _hardware(scene: Scene) -> list[Check]:
    try:
        files = await asyncio.to_thread(load_profiles)
    except ConfigError as error:
        return [problem(str(mistake), "correct it there, or remove the file") for mistake in error.problems]
    return board.board_checks(files, board_facts(), scene.config)


async def _permissions(scene: Scene) -> list[Check]:
    def look() -> list[Check]:
        return permissions.permission_checks(
            permissions.present_nodes(),
            permissions.needed_kinds(scene.config),
            permissions.service_account(),
            permissions.calling_account(),
            permissions.caller_may,
        )

    return await asyncio.to_thread(look)


async def _devices(scene: Scene) -> list[Check]:
    return [*_agent_checks(scene.running), *await asyncio.to_thread(_plugged, scene)]


def _agent_checks(running: Running) -> list[Check]:
    if running.status is not None:
        status = running.status
        text = f"the agent runs as {status.user_id}: {status.state.value}, {status.login.value}"
        remedy = "callagent status shows more"
        return [ok(text), *(warning(f"the agent says: {each}", remedy) for each in status.problems)]
    if os.path.exists(running.socket) and not os.access(running.socket, os.W_OK):
        remedy = "ask as root, or: usermod -aG callagent YOU, then log in again"
        return [warning(f"whether the agent runs cannot be seen: {running.reason}", remedy)]
    return [ok(f"the agent does not run, so no device is in its use: {running.reason}")]


def _plugged(scene: Scene) -> list[Check]:
    """On a worker thread."""
    try:
        present = _inventory()
    except (ImportError, OSError) as error:
        return [problem(f"devices cannot be listed: {error}", "apt-get install libudev1")]
    checks = []
    if not os.path.exists(_UDEV):
        text = "udev does not run here: it is not told when a device comes or goes"
        checks.append(warning(text, "install udev, or hand /run/udev into the container"))
    checks += plugged.device_checks(present, scene.config)
    held = [(device, holders(node)) for device in present if (node := _node(device)) is not None]
    pid = None if scene.running.status is None else listener(scene.running.socket)
    checks += plugged.holder_checks(held, pid, sees_all=os.geteuid() == 0)
    known = {holder.pid: holder for _, found in held for holder in found}
    checks += plugged.sound_server_checks(running_programs(SOUND_SERVERS), known)
    return checks


def _inventory() -> Inventory:
    # A broken library is a finding like any other: nothing of the devices is imported before it is needed.
    from callagent.devices.records import inventory_of
    from callagent.devices.udev import PyudevSource

    return inventory_of(PyudevSource().snapshot())


def _node(device: DeviceInfo) -> str | None:
    """What a program that uses the device has open; None for what is nobody's alone."""
    if device.kind is DeviceKind.CAMERA:
        return device.path
    if device.kind not in (DeviceKind.MICROPHONE, DeviceKind.SPEAKER):
        return None
    try:
        from callagent.devices.alsa_cards import pcm_node
    except ImportError:
        return None
    return pcm_node(device.path, device.kind is DeviceKind.MICROPHONE)


def listener(path: Path) -> int | None:
    """The process that listens on a Unix socket; None where nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        try:
            channel.settimeout(1.0)
            channel.connect(str(path))
            pid, _ = peer_of(channel)
        except OSError:
            return None
    return pid


async def _software(_: Scene) -> list[Check]:
    failures = await asyncio.to_thread(software.library_failures)
    checks = [software.system_check(), *software.library_checks(failures, software.installed_versions())]
    if "av" not in failures:
        checks += software.codec_checks(software.missing_codecs())
    checks.append(software.opus_check(software.opus_version))
    return [*checks, software.alsa_check(os.environ)]


async def _service(scene: Scene) -> list[Check]:
    if scene.config is None:
        text = "whether the call service answers is not known: the configuration cannot be used"
        checks, ahead_s = [warning(text, "correct the configuration first")], None
    else:
        answer = await service.ask(scene.config)
        checks, ahead_s = list(service.service_checks(scene.config, answer)), answer.ahead_s
    return [*checks, service.clock_check(time.time(), service.built_at(), ahead_s)]


async def _encoders(scene: Scene) -> list[Check]:
    """Takes seconds, on a small board ten: every encoder really encodes."""
    named: list[str] = []
    if scene.config is not None:
        hardware = None
        with contextlib.suppress(ConfigError, CallAgentError):
            hardware = await asyncio.to_thread(find_hardware, scene.config)
        named = [each.name for each in encoder_order(scene.config, hardware)]
    return encoders.encoder_checks(await asyncio.to_thread(encoders.measured), named)


ON_REQUEST = frozenset({"encoders"})
"""Topics that keep the machine busy for seconds: looked at only when they are named."""
TOPICS: dict[str, Topic] = {
    "configuration": _configuration,
    "hardware": _hardware,
    "permissions": _permissions,
    "devices": _devices,
    "software": _software,
    "service": _service,
    "encoders": _encoders,
}
"""By name, in the order of the report."""
