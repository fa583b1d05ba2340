# SPDX-License-Identifier: GPL-3.0-or-later
"""The `callagent` command: arguments, and failures told in one line."""

import argparse
import os
import sys
from collections.abc import Sequence

from callagent import __version__
from callagent.cli import accounts, config_files, control, devices, doctor, enrol, programs, screen
from callagent.cli.exits import CONFIG, FAILED, INTERRUPTED, UNREACHABLE, CommandFailed
from callagent.config.problems import ConfigError
from callagent.protocol.errors import CallAgentError, ErrorCode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Usage errors leave through SystemExit(2)."""
    args = build_parser().parse_args(arguments)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except ConfigError as error:
        return _failed(CONFIG, *map(str, error.problems))
    except CommandFailed as error:
        return _failed(error.code, f"callagent: {error}")
    except CallAgentError as error:
        return _failed(_exit_code(error), f"callagent: {error}")
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="callagent", description="An unattended video-call endpoint for Linux, and its call service."
    )
    parser.add_argument("--version", action="version", version=f"callagent {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (programs, screen, control, devices, doctor, accounts, enrol, config_files):
        group.add_commands(commands)
    return parser


def _exit_code(error: CallAgentError) -> int:
    return UNREACHABLE if error.code is ErrorCode.SIGNALING_SEND_FAIL else FAILED


def _failed(code: int, *lines: str) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return code
