# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands about the running agent's devices: what is there, what is used, camera, volume, privacy, door."""

import argparse
import json
from typing import TYPE_CHECKING

from callagent.cli.control import add, with_agent
from callagent.cli.exits import CommandFailed
from callagent.cli.subcommands import Subcommands
from callagent.protocol.command import OPEN_DOOR

if TYPE_CHECKING:
    from callagent.client import AgentClient

SLOTS = ("camera", "microphone", "speaker", "ring_speaker")


def add_commands(commands: Subcommands) -> None:
    devices = add(commands, "devices", "devices present now, with the YAML that selects them", _devices)
    devices.add_argument("--json", action="store_true", help="as the agent sends it")
    select = add(commands, "select", "prefer a device over the configuration while it is present", _select)
    select.add_argument("slot", choices=SLOTS)
    select.add_argument(
        "device", metavar="DEVICE", nargs="?", help="an id of callagent devices; else as configured"
    )
    camera = add(commands, "camera", "switch the camera, or see and set its controls", _camera)
    camera.add_argument(
        "action",
        choices=["on", "off", "front", "back", "other", "controls", "set"],
        help="on, off: in the call; front, back, other: which one; set NAME VALUE: one of its controls",
    )
    camera.add_argument("control", metavar="NAME", nargs="?")
    camera.add_argument("value", metavar="VALUE", nargs="?")
    volume = add(commands, "volume", "see or set the volume of the call", _volume)
    volume.add_argument("volume", metavar="N", nargs="?", help="0 to 100, or +N or -N")
    privacy = add(commands, "privacy", "close camera and microphone, or allow them again", _privacy)
    privacy.add_argument("state", choices=["on", "off"])
    door = add(commands, "door", "open this device's door, or that of the other side of the call", _door)
    door.add_argument("user", metavar="USER", nargs="?", help="whose door; none: this device's own")


def _devices(args: argparse.Namespace) -> int:
    from callagent.cli.show import show_devices

    async def work(agent: "AgentClient") -> None:
        data = await agent.devices()
        print(json.dumps(data.wire(), indent=2) if args.json else show_devices(data))

    return with_agent(args, work)


def _select(args: argparse.Namespace) -> int:
    async def work(agent: "AgentClient") -> None:
        data = await agent.select(args.slot, args.device)
        print(f"{args.slot}: {getattr(data.current, args.slot) or 'none'}")

    return with_agent(args, work)


def _camera(args: argparse.Namespace) -> int:
    from callagent.cli.show import show_controls

    if (args.action == "set") != (args.value is not None) or (args.control and args.action != "set"):
        raise CommandFailed("usage: callagent camera set NAME VALUE")

    async def work(agent: "AgentClient") -> None:
        match args.action:
            case "on" | "off":
                data = await agent.set_camera(args.action == "on")
                print("camera", "on" if data.enabled else "off")
            case "controls":
                print(show_controls(await agent.camera_controls()))
            case "set":
                await agent.set_camera_control(args.control, _value(args.value))
                print(f"{args.control}: {args.value}")
            case side:
                devices = await agent.switch_camera(None if side == "other" else side)
                print(f"camera: {devices.current.camera or 'none'}")

    return with_agent(args, work)


def _value(text: str) -> bool | int | str:
    """What a control is to be set to: on, off, a number or the name of a menu item."""
    if text in ("on", "off"):
        return text == "on"
    try:
        return int(text)
    except ValueError:
        return text


def _volume(args: argparse.Namespace) -> int:
    text: str | None = args.volume
    try:
        number = None if text is None else int(text)
    except ValueError:
        raise CommandFailed(f"{text} is not a volume: a number of per cent, or +N or -N") from None
    relative = text is not None and text[0] in "+-"

    async def work(agent: "AgentClient") -> None:
        data = await (agent.set_volume(step=number) if relative else agent.set_volume(number))
        print(f"volume {data.volume} %")

    return with_agent(args, work)


def _privacy(args: argparse.Namespace) -> int:
    async def work(agent: "AgentClient") -> None:
        wanted = args.state == "on"
        data = await agent.set_privacy(wanted)
        print("privacy", "on" if data.enabled else "off")
        if data.enabled and not wanted:
            raise CommandFailed("another switch keeps it on; callagent status names it")

    return with_agent(args, work)


def _door(args: argparse.Namespace) -> int:
    async def work(agent: "AgentClient") -> None:
        if args.user is None:
            await agent.open_door()
        else:
            await agent.command(args.user, OPEN_DOOR)
        print("opened")

    return with_agent(args, work)
