# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files: where they are looked for, and the `config` commands."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from callagent.cli.exits import CONFIG, OK, CommandFailed
from callagent.cli.subcommands import Subcommands

if TYPE_CHECKING:
    from callagent.config import ServerConfig

AGENT_FILE = "/etc/callagent/callagent.yaml"
SERVER_FILE = "/etc/callagent/server.yaml"


def add_server_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help=f"server configuration ({SERVER_FILE} where it exists, else the defaults)",
    )


def load_server(path: str | None) -> "ServerConfig":
    """The configuration that `serve`, `token` and `account` share. Raises ConfigError."""
    from callagent.config import ServerConfig, load_server_config
    from callagent.config.server import StorageConfig

    if path is not None or Path(SERVER_FILE).exists():
        return load_server_config(path or SERVER_FILE)
    if os.geteuid() == 0:
        return ServerConfig()
    # Without a file and without root's rights the data is that of the user.
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    return ServerConfig(storage=StorageConfig(directory=state / "callagent-server"))


def add_commands(commands: Subcommands) -> None:
    config = commands.add_parser("config", help="check a configuration file, or print its schema")
    actions = config.add_subparsers(metavar="ACTION", required=True)

    check = actions.add_parser("check", help="say everything that is wrong in a file")
    check.add_argument("file", metavar="FILE")
    check.add_argument("--server", action="store_true", help="it is a call service's, not an agent's")
    check.set_defaults(run=_check)

    schema = actions.add_parser("schema", help="print the JSON schema, for editors")
    schema.add_argument("--server", action="store_true", help="the call service's")
    schema.set_defaults(run=_schema)


def _check(args: argparse.Namespace) -> int:
    from callagent.config import load_agent_config, load_server_config

    if args.server:
        from callagent.server.configured import SecretUnreadable, settings_of

        try:
            settings_of(load_server_config(args.file))
        except SecretUnreadable as error:
            raise CommandFailed(f"{args.file}: {error}", CONFIG) from error
    else:
        load_agent_config(args.file)
    print(f"{args.file}: good")
    return OK


def _schema(args: argparse.Namespace) -> int:
    from callagent.config import AgentConfig, ServerConfig, json_schema

    print(json.dumps(json_schema(ServerConfig if args.server else AgentConfig), indent=2))
    return OK
