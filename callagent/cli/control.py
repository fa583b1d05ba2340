# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to the running agent, over its control socket."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from callagent.cli.exits import OK, UNREACHABLE, CommandFailed
from callagent.cli.subcommands import Subcommands
from callagent.protocol.enums import MediaType

if TYPE_CHECKING:
    from callagent.client import AgentClient

Work = Callable[["AgentClient"], Awaitable[None]]


def add_commands(commands: Subcommands) -> None:
    status = add(commands, "status", "what the agent does now", _status)
    call = add(commands, "call", "call a user", _call)
    call.add_argument("users", metavar="USER", nargs="+")
    media = call.add_mutually_exclusive_group()
    media.add_argument(
        "--audio", action="store_const", dest="media", const=MediaType.AUDIO, help="audio call"
    )
    media.add_argument(
        "--video", action="store_const", dest="media", const=MediaType.VIDEO, help="video call"
    )
    call.add_argument("--timeout", type=int, metavar="S", help="how long it rings, 10 to 600 seconds")
    add(commands, "answer", "accept the call that rings", _answer)
    add(commands, "reject", "refuse the call that rings", _reject)
    add(commands, "hangup", "end the call, whatever its state", _hangup)
    microphone = add(commands, "microphone", "mute (off) or unmute (on) in the running call", _microphone)
    microphone.add_argument("state", choices=["on", "off"])
    history = add(commands, "history", "this agent's calls, newest first", _history)
    history.add_argument("--limit", type=int, default=20, metavar="N", help="1 to 100 (%(default)s)")
    stats = add(commands, "stats", "where pictures spend their time, measured now", _stats)
    stats.add_argument(
        "--seconds", type=float, default=5.0, metavar="S", help="for how long, 0.1 to 60 (%(default)s)"
    )
    watch = add(commands, "watch", "print events as they happen, one line each", _watch)
    for parser in (status, history, stats, watch):
        parser.add_argument("--json", action="store_true", help="as the agent sends it")


def add(
    commands: Subcommands, name: str, text: str, work: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """A command to the running agent; `work` does it, by `with_agent`."""
    parser = commands.add_parser(name, help=text)
    parser.add_argument("--socket", type=Path, metavar="PATH", help="the agent's socket ($CALLAGENT_SOCKET)")
    parser.set_defaults(run=work)
    return parser


def _status(args: argparse.Namespace) -> int:
    from callagent.cli.show import show_status

    async def work(agent: "AgentClient") -> None:
        data = await agent.status()
        print(json.dumps(data.wire(), indent=2) if args.json else show_status(data))

    return with_agent(args, work)


def _call(args: argparse.Namespace) -> int:
    async def work(agent: "AgentClient") -> None:
        data = await agent.call(args.users, args.media, args.timeout)
        print(f"calling {', '.join(args.users)}, for {data.timeout} s ({data.call_id})")

    return with_agent(args, work)


def _answer(args: argparse.Namespace) -> int:
    async def work(agent: "AgentClient") -> None:
        await agent.answer()
        print("answered")

    return with_agent(args, work)


def _reject(args: argparse.Namespace) -> int:
    async def work(agent: "AgentClient") -> None:
        await agent.reject()
        print("rejected")

    return with_agent(args, work)


def _hangup(args: argparse.Namespace) -> int:
    async def work(agent: "AgentClient") -> None:
        await agent.hangup()
        print("hung up")

    return with_agent(args, work)


def _microphone(args: argparse.Namespace) -> int:
    async def work(agent: "AgentClient") -> None:
        data = await agent.set_microphone(args.state == "on")
        print("microphone", "on" if data.enabled else "off")

    return with_agent(args, work)


def _history(args: argparse.Namespace) -> int:
    from callagent.cli.show import show_history

    async def work(agent: "AgentClient") -> None:
        data = await agent.history(args.limit)
        print(json.dumps(data.wire(), indent=2) if args.json else show_history(data))

    return with_agent(args, work)


def _stats(args: argparse.Namespace) -> int:
    from callagent.cli.show import show_stats

    async def work(agent: "AgentClient") -> None:
        data = await agent.stats(args.seconds)
        print(json.dumps(data.wire(), indent=2) if args.json else show_stats(data))

    return with_agent(args, work)


def _watch(args: argparse.Namespace) -> int:
    from callagent.cli.show import show_event

    async def work(agent: "AgentClient") -> None:
        async for message in agent.events():
            print(json.dumps(message.wire()) if args.json else show_event(message), flush=True)
        raise CommandFailed("the agent has stopped", UNREACHABLE)

    return with_agent(args, work)


def with_agent(args: argparse.Namespace, work: Work) -> int:
    """Run `work` with a connected client; returns the exit code. Raises CommandFailed."""
    from callagent.client import AgentClient, AgentUnreachable

    async def run() -> None:
        async with AgentClient(args.socket) as agent:
            await work(agent)

    try:
        asyncio.run(run())
    except AgentUnreachable as error:
        raise CommandFailed(str(error), UNREACHABLE) from error
    return OK
