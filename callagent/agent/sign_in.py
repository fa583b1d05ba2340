# SPDX-License-Identifier: GPL-3.0-or-later
"""Who this agent is to the call service, from the configuration and the files it names."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from callagent.agent.identity import device_id, model
from callagent.call.credentials import Credentials, DeviceKeyUserSig, FixedUserSig, UserSigFile
from callagent.config import AgentConfig
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.usersig import peek_usersig

logger = logging.getLogger(__name__)

RETRY_FIRST_S = 1.0
RETRY_MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class Identity:
    """One user on one device, and the way to its tickets."""

    user_id: str
    device_id: str
    model: str
    credentials: Credentials
    tls: ssl.SSLContext | None


async def identify(config: AgentConfig) -> Identity:
    """Find out who this agent is.

    A user the configuration does not name is the one the ticket was made for; for a
    device key that takes the service, which is asked until it answers.
    Raises CallAgentError when a file cannot be used or the key is refused.
    """
    tls = tls_context(config)
    credentials = _credentials(config, tls)
    user_id = config.identity.user or await _ask_for_user(credentials)
    return Identity(
        user_id=user_id,
        device_id=config.identity.device_id or device_id(user_id),
        model=config.identity.model or model(),
        credentials=credentials,
        tls=tls,
    )


def _credentials(config: AgentConfig, tls: ssl.SSLContext | None) -> Credentials:
    identity = config.identity
    if identity.usersig is not None:
        return FixedUserSig(identity.usersig)
    if identity.usersig_file is not None:
        return UserSigFile(identity.usersig_file)
    assert identity.device_key_file is not None  # the schema requires one of the three
    key = _read(identity.device_key_file, "device key").strip()
    return DeviceKeyUserSig(config.service.url, key, tls, config.service.proxy)


async def _ask_for_user(credentials: Credentials) -> str:
    delay_s = RETRY_FIRST_S
    while True:
        try:
            return peek_usersig(await credentials.usersig()).user_id
        except CallAgentError as error:
            if error.code is not ErrorCode.SIGNALING_SEND_FAIL:
                raise
            logger.warning("%s; next try in %.0f s", error.message, delay_s)
        await asyncio.sleep(delay_s)
        delay_s = min(2 * delay_s, RETRY_MOST_S)


def tls_context(config: AgentConfig) -> ssl.SSLContext | None:
    """With the CA of the configuration; None for http://. Raises CallAgentError (PARAM_INVALID)."""
    if not config.service.url.startswith("https:"):
        return None
    authority = config.service.ca
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise CallAgentError(
            ErrorCode.PARAM_INVALID, f"{authority} holds no certificate authority: {error}", "service.ca"
        ) from error


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CallAgentError(ErrorCode.PARAM_INVALID, f"The {what} file cannot be read: {error}") from error
