# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent screen`: what people in front of the kiosk see."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from callagent.cli.config_files import AGENT_FILE
from callagent.cli.exits import OK, CommandFailed
from callagent.cli.subcommands import Subcommands

if TYPE_CHECKING:
    from callagent.config import AgentConfig
    from callagent.screen.settings import Contact, ScreenSettings


def add_commands(commands: Subcommands) -> None:
    screen = commands.add_parser(
        "screen",
        help="show calls on this machine's screen",
        description="Show what goes on, full screen; a process of its own beside the agent.",
    )
    screen.add_argument(
        "-c", "--config", metavar="FILE", default=AGENT_FILE, help="agent configuration (%(default)s)"
    )
    screen.add_argument("--socket", type=Path, metavar="PATH", help="the agent's socket ($CALLAGENT_SOCKET)")
    screen.add_argument("--window", action="store_true", help="in a window, for trying it out")
    screen.add_argument(
        "--darken",
        action="store_true",
        help="only clear the frame buffer and set the terminal back to text, after a screen that was killed",
    )
    screen.add_argument("--terminal", type=Path, metavar="TTY", help="the terminal of --darken")
    screen.set_defaults(run=_screen)


def _screen(args: argparse.Namespace) -> int:
    if args.darken:
        return _darken(args.terminal)
    from callagent.config import load_agent_config

    config = load_agent_config(args.config)
    from callagent.cli.logs import configure_logging
    from callagent.screen.main import NoDisplay, NoQt, run_screen

    configure_logging(config.log)
    try:
        return run_screen(
            settings_of(config),
            socket_path=args.socket or config.control.socket,
            platform=config.screen.platform,
            renderer=config.screen.renderer,
            full_screen=not args.window,
        )
    except (NoDisplay, NoQt) as error:
        raise CommandFailed(str(error)) from error


def _darken(terminal: Path | None) -> int:
    from callagent.screen.darken import darken

    problems = darken(terminal=terminal)
    if problems:
        raise CommandFailed("; ".join(problems))
    return OK


def settings_of(config: "AgentConfig") -> "ScreenSettings":
    """What the configuration says of the screen, as the screen takes it."""
    from callagent.screen.settings import ScreenSettings

    screen = config.screen
    return ScreenSettings(
        place=screen.place,
        language=screen.language,
        theme=screen.theme,
        turn=screen.turn,
        contacts=_contacts(config),
        incoming=screen.incoming,
        touch=screen.touch,
        hidden=frozenset(screen.hide),
        background=str(screen.background or ""),
        watermark=screen.watermark,
        layout=screen.layout,
        own_picture=screen.own_picture,
        mirror=screen.mirror,
        fill=screen.fill,
        fill_of=screen.fill_of,
        clock=screen.clock,
        animations=screen.animations,
        two_cameras=config.camera.front is not None or config.camera.back is not None,
        sleep_after_s=screen.sleep_after_s,
    )


def _contacts(config: "AgentConfig") -> "tuple[Contact, ...]":
    from callagent.screen.settings import Contact

    if config.screen.contacts:
        return tuple(
            Contact(each.name, tuple(each.users), str(each.picture or "")) for each in config.screen.contacts
        )
    # A hunt list is the button's own business: the control socket calls all users at once.
    dialed = dict.fromkeys(tuple(button.dial.users) for button in config.buttons if button.dial is not None)
    return tuple(Contact(", ".join(users), users) for users in dialed if users)
