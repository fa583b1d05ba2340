# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the UserSig for the next login comes from.

The signalling client asks before every new connection, and again with its own
back-off, for ever, so a provider only has to give the best it has at that moment.
"""

import asyncio
import logging
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
from pydantic import ValidationError

from callagent.ports import Clock, MonotonicClock
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import UserSigData

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 10.0
MIN_LIFETIME_S, MAX_LIFETIME_S = 60.0, 24 * 3600.0


class Credentials(Protocol):
    """Used on the event loop."""

    async def usersig(self, rejected: bool = False) -> str:
        """A UserSig to log in with. `rejected`: the service refused the last one as expired or forged.

        Raises CallAgentError when there is none at the moment.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedUserSig:
    """A UserSig given once; good for tests and short lives."""

    value: str

    async def usersig(self, rejected: bool = False) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class UserSigFile:
    """A file somebody else keeps fresh; read anew at every login."""

    path: Path

    async def usersig(self, rejected: bool = False) -> str:
        try:
            value = (await asyncio.to_thread(self.path.read_text, "ascii")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CallAgentError(
                ErrorCode.USERSIG_INVALID, f"The UserSig file {self.path} cannot be read: {error}"
            ) from error
        if not value:
            raise CallAgentError(ErrorCode.USERSIG_INVALID, f"The UserSig file {self.path} is empty")
        return value


class DeviceKeyUserSig:
    """Fetches UserSigs with this device's key: `POST /v1/usersig`.

    A UserSig is used for half its life, then renewed at the next login; one that is still
    valid helps over an endpoint that does not answer. Its age is measured on the monotonic
    clock, because a machine fresh from the cupboard may not know the date.
    """

    def __init__(
        self,
        base_url: str,
        device_key: str,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`base_url`: http or https, without a path."""
        self._url = base_url.rstrip("/") + "/v1/usersig"
        self._device_key = device_key
        self._ssl: ssl.SSLContext | bool = ssl_context if ssl_context is not None else True
        self._proxy = proxy
        self._clock = clock or MonotonicClock()
        self._value = ""
        self._fetched = 0.0
        self._lifetime_s = 0.0

    async def usersig(self, rejected: bool = False) -> str:
        if rejected:
            self._value = ""
        age = self._clock.now() - self._fetched
        if self._value and age < self._lifetime_s / 2:
            return self._value
        try:
            data = await self._fetch()
        except CallAgentError as error:
            if self._value and error.code == ErrorCode.SIGNALING_SEND_FAIL and age < self._lifetime_s:
                log.warning("The UserSig could not be renewed, the present one still holds: %s", error)
                return self._value
            raise
        self._value = data.user_sig
        self._fetched = self._clock.now()
        self._lifetime_s = min(max(data.expires_at - time.time(), MIN_LIFETIME_S), MAX_LIFETIME_S)
        return self._value

    async def _fetch(self) -> UserSigData:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    self._url, json={"deviceKey": self._device_key}, ssl=self._ssl, proxy=self._proxy
                ) as response,
            ):
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise CallAgentError(
                ErrorCode.SIGNALING_SEND_FAIL, f"No UserSig could be fetched from {self._url}: {reason}"
            ) from error
        if status in (401, 403):
            raise CallAgentError(ErrorCode.DEVICE_KEY_INVALID, "The service does not know this device's key")
        try:
            return UserSigData.model_validate_json(body)
        except ValidationError as error:
            raise CallAgentError(
                ErrorCode.SIGNALING_SEND_FAIL, f"{self._url} answered HTTP {status} without a UserSig"
            ) from error
