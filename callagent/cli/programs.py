# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that keep running: agent, call service, demo."""

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from callagent.cli.config_files import AGENT_FILE, add_server_file, load_server
from callagent.cli.exits import CommandFailed
from callagent.cli.subcommands import Subcommands

if TYPE_CHECKING:
    from callagent.server.serve import ServeHandle


def add_commands(commands: Subcommands) -> None:
    run = commands.add_parser("run", help="run the agent", description="Run the agent of this machine.")
    run.add_argument(
        "-c", "--config", metavar="FILE", default=AGENT_FILE, help="agent configuration (%(default)s)"
    )
    run.set_defaults(run=_run)

    serve = commands.add_parser(
        "serve", help="run the call service", description="Run the call service and the web phone."
    )
    add_server_file(serve)
    serve.set_defaults(run=_serve)

    demo = commands.add_parser(
        "demo",
        help="call service and agent on this machine",
        description="Run call service and agent on this machine, with virtual devices where there is none.",
    )
    demo.add_argument(
        "--check", action="store_true", help="make one real call, print what worked, exit 0 or 1"
    )
    demo.add_argument("--port", type=int, metavar="PORT", default=8443, help="HTTPS (%(default)s)")
    demo.add_argument(
        "--http-port", type=int, metavar="PORT", default=8080, help="HTTP on this machine only (%(default)s)"
    )
    demo.set_defaults(run=_demo)


def _run(args: argparse.Namespace) -> int:
    from callagent.config import load_agent_config

    config = load_agent_config(args.config)
    from callagent.agent.main import run_agent
    from callagent.cli.logs import configure_logging

    configure_logging(config.log)
    return run_agent(config)


def _serve(args: argparse.Namespace) -> int:
    config = load_server(args.config)
    from callagent.cli.logs import configure_logging
    from callagent.server.serve import ServeError, serve

    configure_logging(config.log)
    try:
        return asyncio.run(serve(config, _print_addresses))
    except ServeError as error:
        raise CommandFailed(str(error)) from error


def _demo(args: argparse.Namespace) -> int:
    from callagent.cli.logs import configure_logging
    from callagent.config.log import LogConfig

    configure_logging(LogConfig(level="warning"))
    if args.check:
        from callagent.cli.demo_check import demo_check

        return asyncio.run(demo_check())
    from callagent.cli.demo import demo

    return asyncio.run(demo(port=args.port, http_port=args.http_port))


def _print_addresses(handle: "ServeHandle") -> None:
    print("The web phone is at", handle.urls[0])
    for url in handle.urls[1:]:
        print("               and", url)
    if handle.ca_path is not None:
        print("Browsers and agents trust it with the CA certificate", handle.ca_path)
    sys.stdout.flush()
