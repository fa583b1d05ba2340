# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent enrol`: exchange a one-time code for this machine's device key."""

import argparse
import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from callagent.cli.exits import OK, UNREACHABLE, CommandFailed
from callagent.cli.subcommands import Subcommands

if TYPE_CHECKING:
    from callagent.protocol.replies import EnrolData

ENROL_PATH = "/v1/devices/enrol"
TIMEOUT_S = 15.0


def add_commands(commands: Subcommands) -> None:
    enrol = commands.add_parser(
        "enrol",
        help="make this machine a device of the service",
        description="Exchange an enrolment code (callagent token enrol USER, on the service's machine) "
        "for a device key, with which the agent fetches its UserSigs.",
    )
    enrol.add_argument(
        "--service", required=True, metavar="URL", help="such as https://calls.example.org:8443"
    )
    enrol.add_argument("--code", required=True, help="works once, for one hour")
    enrol.add_argument("--ca", type=Path, metavar="FILE", help="the service's CA certificate, PEM")
    enrol.add_argument("--key-file", type=Path, required=True, metavar="FILE", help="gets the key, mode 0600")
    enrol.set_defaults(run=_enrol)


def _enrol(args: argparse.Namespace) -> int:
    url = args.service.rstrip("/")
    context = _trust(args.ca)
    data = _store_key(args.key_file, lambda: asyncio.run(_ask(url, args.code, context)))
    print(f"This machine is a device of {data.user_id}. For its configuration:\n")
    print(f"service:\n  url: {url}\n  sdk_app_id: {data.sdk_app_id}")
    if args.ca is not None:
        print(f"  ca: {args.ca.absolute()}")
    print(f"identity:\n  user: {data.user_id}\n  device_key_file: {args.key_file.absolute()}")
    return OK


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise CommandFailed(f"{ca} is no CA certificate that can be read: {error}") from error


def _store_key(path: Path, fetch: Callable[[], "EnrolData"]) -> "EnrolData":
    """The code works once: the file is opened before it is used up, and takes its place whole."""
    try:
        descriptor, temporary = mkstemp(dir=path.parent, prefix=".device-key-")  # mode 0600
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error
    try:
        with open(descriptor, "w") as file:
            data = fetch()
            file.write(data.device_key + "\n")
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
    return data


async def _ask(url: str, code: str, context: ssl.SSLContext) -> "EnrolData":
    import aiohttp

    from callagent.agent.identity import device_id, model
    from callagent.protocol.control import ErrorData
    from callagent.protocol.replies import EnrolData

    body = {"code": code, "deviceId": device_id(""), "model": model()}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.post(url + ENROL_PATH, json=body, ssl=context) as response,
        ):
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise CommandFailed(ErrorData.model_validate(answer).message)
            return EnrolData.model_validate(answer)
    except aiohttp.ClientConnectorCertificateError as error:
        reason = f"its certificate is not trusted ({error.certificate_error}); give its CA with --ca"
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or f"no answer within {TIMEOUT_S:g} s"
    except ValueError:  # not JSON, or not our answer
        reason = "what answers there is not a call service"
    raise CommandFailed(f"{url} cannot be used: {reason}", UNREACHABLE)
