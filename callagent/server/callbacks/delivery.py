# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends what is stored until the app's back end has taken it: at least once, per call in order."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import time

import aiohttp
from sqlalchemy.exc import SQLAlchemyError
from yarl import URL

from callagent.protocol import taken_out
from callagent.protocol.errors import CallAgentError
from callagent.server.accounts import Accounts
from callagent.server.clock import Now
from callagent.server.storage import callbacks as rows
from callagent.server.storage.callbacks import Pending
from callagent.server.storage.engine import Storage

ATTEMPT_S = 5.0
"""For one answer."""
CLAIM_S = 15.0
"""A node that has not finished by then is taken for dead."""
AT_ONCE = 16
RETRIES_S = (0.0, 1.0, 1.0, 2.0, 3.0, 5.0)
"""Waits after the first failures (callkit-server 7); then it is dead."""
DEAD_S, DEAD_MOST_S = 30.0, 3600.0
"""A dead one is tried after that, then twice as late each time."""
GIVEN_UP_S = 24 * 3600.0
"""After that only when somebody asks for it."""
NEVER = 2.0**53
_LOOK_AGAIN_S = 10.0
"""Other nodes may have stored something and died."""
_DEFAULT_ADDRESS, _DEFAULT_PLATFORM = "127.0.0.1", "RESTAPI"

logger = logging.getLogger(__name__)


class Refused(Exception):
    """The back end did not take it, or was not reached; one sentence."""


class CallbackDelivery:
    """Runs from `start` to `close`; `wake` after every commit that stored callbacks. On the event loop."""

    def __init__(self, storage: Storage, accounts: Accounts, now: Now) -> None:
        self._storage = storage
        self._accounts = accounts
        self._now = now
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._free = asyncio.Semaphore(AT_ONCE)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="callbacks")

    def wake(self) -> None:
        self._wake.set()

    async def close(self) -> None:
        """What is being sent is finished; the rest stays stored. Idempotent."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as sending:
            while not self._closing:
                self._wake.clear()
                wait_s = _LOOK_AGAIN_S
                try:
                    wait_s = await self._send_due(http, sending)
                except SQLAlchemyError:
                    logger.exception("callbacks cannot be read; once more in %.0f s", _LOOK_AGAIN_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()

    async def _send_due(self, http: aiohttp.ClientSession, sending: asyncio.TaskGroup) -> float:
        """Begin to send what is due; until when nothing will be, in seconds."""
        while not self._closing:
            found, soonest = await self._storage.read(
                lambda connection: (rows.due(connection, self._now(), AT_ONCE), rows.next_due_at(connection))
            )
            begun = 0
            for pending in found:
                await self._free.acquire()
                if await self._claimed(pending):
                    begun += 1
                    sending.create_task(self._send(http, pending))
                else:
                    self._free.release()
            if not begun:
                wait_s = _LOOK_AGAIN_S if soonest is None else soonest - self._now()
                return min(max(wait_s, 0.05), _LOOK_AGAIN_S)
        return 0.0

    async def _claimed(self, pending: Pending) -> bool:
        now = self._now()
        return await self._storage.write(
            lambda connection: rows.claim(connection, pending, now, now + CLAIM_S)
        )

    async def _send(self, http: aiohttp.ClientSession, pending: Pending) -> None:
        try:
            try:
                await self._attempt(http, pending)
            except Refused as error:
                await self._failed(pending, str(error))
            else:
                await self._storage.write(lambda connection: rows.taken(connection, pending))
        except Exception:
            # The claim ends by itself: it is tried again.
            logger.exception("callback %s of call %s", pending.command, pending.call_id)
        finally:
            self._free.release()
            self._wake.set()

    async def _attempt(self, http: aiohttp.ClientSession, pending: Pending) -> None:
        """Raises Refused."""
        config = await self._storage.read(lambda connection: rows.config(connection, pending.app_id))
        if config is None:
            raise Refused("no callback address is configured any more")
        try:
            secret = await self._accounts.secret(pending.app_id)
            url, headers = signed(config.url, pending, secret, int(time.time()))
            async with (
                asyncio.timeout(ATTEMPT_S),
                http.post(url, data=pending.body.encode(), headers=headers, allow_redirects=False) as answer,
            ):
                check_answer(answer.status, await answer.content.read(65_536))
        except TimeoutError:
            raise Refused(f"no answer within {ATTEMPT_S:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, CallAgentError) as error:
            raise Refused(str(error) or type(error).__name__) from error

    async def _failed(self, pending: Pending, reason: str) -> None:
        now = self._now()
        wait_s, dead = next_wait(pending.attempts, now - (pending.first_failed_at or now))
        await self._storage.write(
            lambda connection: rows.failed(connection, pending, reason, now, now + wait_s, dead=dead)
        )
        if dead and pending.attempts == len(RETRIES_S):
            logger.warning(
                "callback %s of call %s was not taken: %s", pending.command, pending.call_id, reason
            )


def next_wait(failures_before: int, failing_s: float) -> tuple[float, bool]:
    """After how many seconds it is tried again, and whether it is dead."""
    if failures_before < len(RETRIES_S):
        return RETRIES_S[failures_before], False
    if failing_s >= GIVEN_UP_S:
        return NEVER, True
    return float(min(DEAD_MOST_S, DEAD_S * 2 ** min(failures_before - len(RETRIES_S), 12))), True


def signed(address: str, pending: Pending, secret: str, unix_s: int) -> tuple[URL, dict[str, str]]:
    """The URL of callkit-server 6 with `Sign`, `RequestTime` and the event's id, and the headers.

    `Sign` is SHA-256 of secret and `RequestTime`, as IM's callback authentication has it. It does not cover
    the body: `X-Callagent-Signature` does, HMAC-SHA256 of `RequestTime`, a dot and the body.
    """
    stamp = str(unix_s)
    query = {
        "SdkAppid": str(pending.app_id),
        "CallbackCommand": pending.command,
        "contenttype": "json",
        "ClientIP": pending.origin.address or _DEFAULT_ADDRESS,
        "OptPlatform": pending.origin.platform or _DEFAULT_PLATFORM,
        "RequestTime": stamp,
        "Sign": hashlib.sha256(f"{secret}{stamp}".encode()).hexdigest(),
        "EventId": pending.event_id,
    }
    covered = f"{stamp}.{pending.body}".encode()
    signature = hmac.new(secret.encode(), covered, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Callagent-Signature": signature}
    told = {name: value for name, value in query.items() if not taken_out.gone("callback-url", name)}
    return URL(address).update_query(told), headers


def check_answer(status: int, body: bytes) -> None:
    """Raises Refused: not 2xx, or an `ErrorCode` that is not 0. Whoever answers no JSON has taken it."""
    if not 200 <= status < 300:
        raise Refused(f"HTTP {status}")
    try:
        answer = json.loads(body)
    except ValueError:
        return
    code = answer.get("ErrorCode", 0) if isinstance(answer, dict) else 0
    if code != 0:
        raise Refused(f"ErrorCode {code}")
