# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent doctor`: what keeps the agent of this machine from working, and what to do."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from callagent.cli.config_files import AGENT_FILE
from callagent.cli.exits import FAILED, OK
from callagent.cli.subcommands import Subcommands

if TYPE_CHECKING:
    from callagent.agent.doctor import Check, Running

TOPICS = ("configuration", "hardware", "permissions", "devices", "software", "service", "encoders")
"""As `callagent.agent.doctor.TOPICS`, which takes long to import."""
_MARKS = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM"}


def add_commands(commands: Subcommands) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="look for what keeps the agent from working, and say what to do",
        description="Look at configuration, hardware, permissions, devices, software and the call service, "
        "with or without the agent running. Exits 1 when there is a problem.",
    )
    doctor.add_argument(
        "topic", nargs="?", choices=TOPICS, help="only this; none: all but encoders, which takes a while"
    )
    doctor.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        default=AGENT_FILE,
        help="agent configuration (%(default)s)",
    )
    doctor.add_argument("--socket", type=Path, metavar="PATH", help="the agent's socket ($CALLAGENT_SOCKET)")
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    return asyncio.run(_examine(args))


async def _examine(args: argparse.Namespace) -> int:
    from callagent.agent.doctor import State, examine, worst

    found: dict[str, list[Check]] = {}
    topics = [args.topic] if args.topic else []
    async for topic, checks in examine(args.config, await _running(args.socket), topics):
        found[topic] = checks
        if not args.json:
            print(_shown(topic, checks), flush=True)
    state = worst(check for checks in found.values() for check in checks)
    if args.json:
        print(json.dumps(_json(found, state), indent=2))
    else:
        count = sum(check.state is State.PROBLEM for checks in found.values() for check in checks)
        print("no problem was found" if count == 0 else f"problems: {count}")
    return FAILED if state is State.PROBLEM else OK


async def _running(path: Path | None) -> "Running":
    from callagent.agent.doctor import Running
    from callagent.client import AgentClient, AgentUnreachable
    from callagent.protocol.errors import CallAgentError

    async with AgentClient(path) as agent:
        try:
            return Running(agent.socket_path, await agent.status())
        except (AgentUnreachable, CallAgentError) as error:
            return Running(agent.socket_path, reason=str(error))


def _shown(topic: str, checks: "list[Check]") -> str:
    lines = [topic]
    for check in checks:
        lines.append(f"  {_MARKS[check.state]}  {check.text}")
        if check.remedy:
            lines.append(f"           -> {check.remedy}")
    return "\n".join(lines) + "\n"


def _json(found: "dict[str, list[Check]]", state: str) -> dict[str, object]:
    return {
        "state": state,
        "checks": [
            {"topic": topic, "state": check.state, "text": check.text, "remedy": check.remedy}
            for topic, checks in found.items()
            for check in checks
        ],
    }
