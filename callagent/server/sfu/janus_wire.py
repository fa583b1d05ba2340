# SPDX-License-Identifier: GPL-3.0-or-later
"""One WebSocket connection to one Janus: requests, their answers, and events.

Source: Janus' documentation, "WebSockets interface" and "The Janus API"; tried with 1.1.2.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from callagent.server.sfu.backend import FeedGone, Refused, RoomGone, ServerAway, SfuError

PROTOCOL = "janus-protocol"
CONNECT_S = 2.0
ANSWER_S = 4.0
CLOSE_S = 0.5
MAX_BYTES = 4 << 20

Json = dict[str, Any]
OnEvent = Callable[[Json], None]
"""Returns at once."""

logger = logging.getLogger(__name__)


class NoSuchHandle(Refused):
    """The seat is no more."""


_ERRORS: dict[object, type[SfuError]] = {
    458: RoomGone,  # the core knows no such session (apierror.h)
    459: NoSuchHandle,
    426: RoomGone,  # the VideoRoom plugin knows no such room
    428: FeedGone,
}


@dataclass(frozen=True, slots=True)
class _Waiting:
    answer: asyncio.Future[Json | SfuError]
    acked: bool
    """An `ack` is all that comes."""


class JanusWire:
    """Made by `open`, ended by `close` or by the other side. Used on the event loop."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, api_secret: str | None, on_event: OnEvent
    ) -> None:
        self._socket = socket
        self._api_secret = api_secret
        self._on_event = on_event
        self._waiting: dict[str, _Waiting] = {}
        self.lost = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name="janus reader")

    @classmethod
    async def open(
        cls, web: aiohttp.ClientSession, url: str, api_secret: str | None, on_event: OnEvent
    ) -> "JanusWire":
        """Raises ServerAway; its cause says whether anybody listens there."""
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await web.ws_connect(
                    url,
                    protocols=(PROTOCOL,),
                    max_msg_size=MAX_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ServerAway(f"{url} cannot be reached: {error or type(error).__name__}") from error
        return cls(socket, api_secret, on_event)

    async def close(self) -> None:
        """Sessions that were made or claimed here stay, for `reclaim_session_timeout`."""
        await self._socket.close()
        await self._reader

    async def ask(self, request: Json, *, acked: bool = False, deadline_s: float = ANSWER_S) -> Json:
        """The answer: of a request to a plugin its event, of one that is only acknowledged the `ack`.

        Raises Refused, RoomGone, FeedGone, NoSuchHandle as Janus says, ServerAway when it does not answer.
        """
        if self.lost.is_set():
            raise ServerAway("the connection to the media server is lost")
        transaction = secrets.token_hex(8)
        message = request | {"transaction": transaction}
        if self._api_secret is not None:
            message["apisecret"] = self._api_secret
        answer: asyncio.Future[Json | SfuError] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = _Waiting(answer, acked)
        try:
            async with asyncio.timeout(deadline_s):
                await self._socket.send_str(json.dumps(message))
                said = await answer
        except TimeoutError:
            raise ServerAway(f"no answer to {request['janus']} within {deadline_s:.0f} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ServerAway(f"the connection to the media server is lost: {error}") from error
        finally:
            del self._waiting[transaction]
        if isinstance(said, SfuError):
            raise said
        return said

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
        except (aiohttp.ClientError, OSError) as error:
            logger.info("reading from the media server ended: %r", error)
        finally:
            self.lost.set()
            for waiting in self._waiting.values():
                if not waiting.answer.done():
                    waiting.answer.set_result(ServerAway("the connection to the media server was lost"))

    def _take(self, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            logger.warning("the media server sent what is no JSON object: %.80r", text)
            return
        waiting = self._waiting.get(str(message.get("transaction")))
        if waiting is None or waiting.answer.done():
            if message.get("janus") not in ("ack", "success", "error"):
                self._on_event(message)
        elif message.get("janus") != "ack" or waiting.acked:
            waiting.answer.set_result(error_of(message) or message)


def error_of(message: Json) -> SfuError | None:
    """What the core or the plugin complains of."""
    failed = message.get("error")
    if message.get("janus") == "error" and isinstance(failed, dict):
        return _error(failed.get("code"), f"{failed.get('reason')}")
    data = data_of(message)
    if "error_code" in data:
        return _error(data["error_code"], f"{data.get('error')}")
    return None


def data_of(message: Json) -> Json:
    """What the plugin says in an answer or event."""
    plugin = message.get("plugindata")
    data = plugin.get("data") if isinstance(plugin, dict) else None
    return data if isinstance(data, dict) else {}


def _error(code: object, reason: str) -> SfuError:
    return _ERRORS.get(code, Refused)(f"the media server refused: {reason} ({code})")
