# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on the service's machine: accounts, tickets and enrolment codes.

They work on the service's database, whether it runs or not.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from callagent.cli.config_files import add_server_file, load_server
from callagent.cli.exits import OK, CommandFailed
from callagent.cli.subcommands import Subcommands
from callagent.cli.table import table
from callagent.protocol.usersig import DEFAULT_EXPIRE_S

if TYPE_CHECKING:
    from callagent.server.accounts import Account, Accounts

SERVICE_LIMIT_S = 8.0
"""A running service looks for blocked users every 5 s."""

_Work = Callable[["Accounts", int], Awaitable[None]]


def add_commands(commands: Subcommands) -> None:
    token = commands.add_parser(
        "token",
        help="make a UserSig, or an enrolment code for a device",
        usage="callagent token [-h] [-c FILE] [--app ID] [--expire S] [enrol] USER",
    )
    token.add_argument("enrol", nargs="?", choices=["enrol"], help="a one-time enrolment code, not a UserSig")
    token.add_argument("user", metavar="USER")
    token.add_argument(
        "--expire", type=int, default=DEFAULT_EXPIRE_S, metavar="S", help="lifetime in seconds (%(default)s)"
    )
    _add_common(token)
    token.set_defaults(run=_token)

    account = commands.add_parser("account", help="the service's accounts")
    actions = account.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", help="create an account")
    add.add_argument("user", metavar="USER")
    add.add_argument("--nickname", default="", help="the name shown to others")
    _add_common(add)
    add.set_defaults(run=_add)
    listing = actions.add_parser("list", help="show all accounts")
    _add_common(listing)
    listing.set_defaults(run=_list)
    admin = actions.add_parser("admin", help="let an account sign REST requests, or no longer")
    admin.add_argument("user", metavar="USER")
    admin.add_argument("--revoke", action="store_true", help="no longer")
    _add_common(admin)
    admin.set_defaults(run=_admin)
    block = actions.add_parser("block", help="keep an account from logging in and being called, or no longer")
    block.add_argument("user", metavar="USER")
    block.add_argument("--undo", action="store_true", help="no longer")
    _add_common(block)
    block.set_defaults(run=_block)
    remove = actions.add_parser("remove", help="delete an account, its device keys and sessions")
    remove.add_argument("user", metavar="USER")
    _add_common(remove)
    remove.set_defaults(run=_remove)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add_server_file(parser)
    parser.add_argument("--app", type=int, metavar="ID", help="the app, when the service has several")


def _token(args: argparse.Namespace) -> int:
    async def work(accounts: "Accounts", app_id: int) -> None:
        if args.enrol:
            print(await accounts.enrolment_code(app_id, args.user))
        else:
            print(await accounts.usersig(app_id, args.user, args.expire))

    return _with_accounts(args, work)


def _add(args: argparse.Namespace) -> int:
    async def work(accounts: "Accounts", app_id: int) -> None:
        await accounts.add_user(app_id, args.user, args.nickname)
        print(f"{args.user}: added")

    return _with_accounts(args, work)


def _list(args: argparse.Namespace) -> int:
    async def work(accounts: "Accounts", app_id: int) -> None:
        users = await accounts.users(app_id)
        rows = [(user.user_id, user.nickname, _history(user)) for user in users]
        print(table(("USER", "NICKNAME", "LOGGED IN EVER"), rows))

    return _with_accounts(args, work)


def _history(user: "Account") -> str:
    known = "yes" if user.ever_logged_in else "no"
    return f"{known}, blocked" if user.blocked else known


def _block(args: argparse.Namespace) -> int:
    async def work(accounts: "Accounts", app_id: int) -> None:
        await accounts.set_blocked(app_id, args.user, not args.undo)
        print(f"{args.user}: {'no longer ' if args.undo else ''}blocked")

    return _with_accounts(args, work)


def _admin(args: argparse.Namespace) -> int:
    async def work(accounts: "Accounts", app_id: int) -> None:
        await accounts.set_admin(app_id, args.user, not args.revoke)
        print(f"{args.user}: {'no longer ' if args.revoke else ''}an administrator")

    return _with_accounts(args, work)


def _remove(args: argparse.Namespace) -> int:
    async def work(accounts: "Accounts", app_id: int) -> None:
        await _end_sessions(accounts, app_id, args.user)
        await accounts.delete_user(app_id, args.user)
        print(f"{args.user}: removed")

    return _with_accounts(args, work)


async def _end_sessions(accounts: "Accounts", app_id: int, user_id: str) -> None:
    """A service that runs hangs up and says why; without one nobody is behind what is left of sessions."""
    deadline = asyncio.get_running_loop().time() + SERVICE_LIMIT_S
    if await accounts.has_sessions(app_id, user_id):
        await accounts.set_blocked(app_id, user_id, True)
    while await accounts.has_sessions(app_id, user_id):
        if asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(0.2)


def _with_accounts(args: argparse.Namespace, work: _Work) -> int:
    """Open the database of the configured service and do the work on the chosen app."""
    config = load_server(args.config)
    from sqlalchemy.exc import SQLAlchemyError

    from callagent.server.accounts import Accounts

    async def run() -> None:
        async with Accounts.open(config.storage.database_url) as accounts:
            await work(accounts, args.app or await _only_app(accounts))

    try:
        asyncio.run(run())
    except (OSError, SQLAlchemyError) as error:
        reason = str(error).splitlines()[0]
        raise CommandFailed(f"the service's database cannot be used: {reason}") from error
    return OK


async def _only_app(accounts: "Accounts") -> int:
    apps = [app.app_id for app in await accounts.apps()]
    if len(apps) > 1:
        raise CommandFailed(
            f"the service has several apps, choose one with --app: {', '.join(map(str, apps))}"
        )
    return apps[0]
