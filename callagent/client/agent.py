# SPDX-License-Identifier: Apache-2.0
"""The Python client of the agent's control socket."""

import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import aiohttp
from pydantic import ValidationError

from callagent.client.socket_path import default_socket_path
from callagent.protocol import control as api
from callagent.protocol.base import Wire
from callagent.protocol.enums import MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import HistoryData

DEFAULT_TIMEOUT_S = 15.0
"""Longer than the agent waits for the call service."""
_BASE_URL = "http://agent"
_HEARTBEAT_S = 20.0

_Answer = TypeVar("_Answer", bound=Wire)


class AgentUnreachable(Exception):
    """No agent answers on the socket; the message says which socket and why."""


class AgentClient:
    """Commands and events of one agent; an asynchronous context manager, used on one event loop.

    Every method raises CallAgentError with the agent's own code, or
    AgentUnreachable when nobody answers.
    """

    def __init__(
        self, socket_path: str | os.PathLike[str] | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        """`socket_path` None: `default_socket_path()`. `timeout_s` limits each command, not the events."""
        self.socket_path = Path(socket_path) if socket_path is not None else default_socket_path()
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self.socket_path)),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def status(self) -> api.StatusData:
        return await self._ask(api.StatusData, "GET", api.STATUS_PATH)

    async def devices(self) -> api.DevicesData:
        """Cameras, microphones and speakers present now."""
        return await self._ask(api.DevicesData, "GET", api.DEVICES_PATH)

    async def call(
        self,
        user_ids: Sequence[str],
        media_type: MediaType | None = None,
        timeout_s: int | None = None,
        user_data: str = "",
    ) -> api.CallStartedData:
        """Call users; None takes the agent's configured default. Returns when the service took the call."""
        body: dict[str, object] = {"userIdList": list(user_ids), "userData": user_data}
        if media_type is not None:
            body["mediaType"] = int(media_type)
        if timeout_s is not None:
            body["timeout"] = timeout_s
        return await self._ask(api.CallStartedData, "POST", api.CALL_PATH, body)

    async def answer(self) -> api.CommandData:
        return await self._ask(api.CommandData, "POST", api.ANSWER_PATH)

    async def reject(self) -> api.CommandData:
        return await self._ask(api.CommandData, "POST", api.REJECT_PATH)

    async def hangup(self) -> api.CommandData:
        """Ringing: reject; calling: cancel; connected: leave."""
        return await self._ask(api.CommandData, "POST", api.HANGUP_PATH)

    async def set_microphone(self, enabled: bool) -> api.ToggleData:
        return await self._ask(api.ToggleData, "POST", api.MICROPHONE_PATH, {"enabled": enabled})

    async def set_camera(self, enabled: bool) -> api.ToggleData:
        return await self._ask(api.ToggleData, "POST", api.CAMERA_PATH, {"enabled": enabled})

    async def select(self, slot: api.SlotName, device_id: str | None) -> api.DevicesData:
        """Prefer a device (an id of `devices`) over the configuration while it is present; None: no more."""
        body: dict[str, object] = {"slot": slot}
        if device_id is not None:
            body["deviceId"] = device_id
        return await self._ask(api.DevicesData, "POST", api.SELECT_PATH, body)

    async def switch_camera(self, side: Literal["front", "back"] | None = None) -> api.DevicesData:
        """To the front or back camera, None: to the other one; for the present call."""
        body = {} if side is None else {"side": side}
        return await self._ask(api.DevicesData, "POST", api.CAMERA_SIDE_PATH, body)

    async def camera_controls(self) -> api.CameraControlsData:
        """Brightness, focus, zoom and so on of the camera in use."""
        return await self._ask(api.CameraControlsData, "GET", api.CAMERA_CONTROLS_PATH)

    async def set_camera_control(self, name: str, value: bool | int | str) -> api.CameraControlsData:
        body = {"name": name, "value": value}
        return await self._ask(api.CameraControlsData, "POST", api.CAMERA_CONTROLS_PATH, body)

    async def set_volume(self, volume: int | None = None, *, step: int | None = None) -> api.VolumeData:
        """Of the call, per cent: to `volume`, or by `step`; neither: only ask."""
        body = {key: value for key, value in (("volume", volume), ("step", step)) if value is not None}
        return await self._ask(api.VolumeData, "POST", api.VOLUME_PATH, body)

    async def set_privacy(self, enabled: bool) -> api.ToggleData:
        """The software privacy switch; the answer is still on while another switch keeps it on."""
        return await self._ask(api.ToggleData, "POST", api.PRIVACY_PATH, {"enabled": enabled})

    async def open_door(self) -> api.DoneData:
        """This device's own door."""
        return await self._ask(api.DoneData, "POST", api.DOOR_PATH)

    async def command(self, user_id: str, command: str) -> api.DoneData:
        """Ask another member's device, such as `openDoor`; returns when it was done."""
        body = {"userId": user_id, "command": command}
        return await self._ask(api.DoneData, "POST", api.COMMAND_PATH, body)

    async def invite(self, user_ids: Sequence[str]) -> api.DoneData:
        """Ring more users into the running call; where `openapi` names INVITE_PATH."""
        return await self._ask(api.DoneData, "POST", api.INVITE_PATH, {"userIdList": list(user_ids)})

    async def switch_media_type(self, media_type: MediaType) -> api.DoneData:
        """Video to audio, in a call of two; where `openapi` names MEDIA_TYPE_PATH."""
        return await self._ask(api.DoneData, "POST", api.MEDIA_TYPE_PATH, {"mediaType": int(media_type)})

    async def history(self, limit: int = 20) -> HistoryData:
        """This agent's calls, newest first; `limit` 1 to 100."""
        return await self._ask(HistoryData, "GET", f"{api.HISTORY_PATH}?limit={limit}")

    async def stats(self, seconds: float = 5.0) -> api.StatsData:
        """Where pictures spend their time, measured for so long, 60 s at most."""
        answer = await self._request("GET", f"{api.STATS_PATH}?seconds={seconds:g}", None, seconds)
        return _parsed(api.StatsData, answer)

    async def openapi(self) -> dict[str, Any]:
        """The API's own description."""
        document: dict[str, Any] = await self._request("GET", api.OPENAPI_PATH, None)
        return document

    async def events(self) -> AsyncGenerator[api.EventMessage, None]:
        """First the status as `STATUS_EVENT`, then every event; ends when the agent stops."""
        try:
            async with self._opened().ws_connect(
                _BASE_URL + api.EVENTS_PATH,
                heartbeat=_HEARTBEAT_S,
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            ) as channel:
                async for message in channel:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        yield _parsed(api.EventMessage, message.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    async def _ask(self, model: type[_Answer], method: str, path: str, body: object = None) -> _Answer:
        return _parsed(model, await self._request(method, path, body))

    async def _request(self, method: str, path: str, body: object, more_s: float = 0.0) -> Any:
        """`more_s`: how much longer than usual the answer may take."""
        limit = aiohttp.ClientTimeout(total=self._timeout_s + more_s)
        try:
            async with self._opened().request(method, _BASE_URL + path, json=body, timeout=limit) as response:
                answer = await response.json(content_type=None)
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error
        except ValueError as error:
            raise _not_ours("it is not JSON") from error
        if status >= 400:
            problem = _parsed(api.ErrorData, answer)
            raise CallAgentError(_code(problem.code), problem.message, problem.field)
        return answer

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("AgentClient is used outside of `async with`")
        return self._session

    def _unreachable(self, error: Exception) -> AgentUnreachable:
        reason = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        if isinstance(reason, FileNotFoundError | ConnectionRefusedError):
            return AgentUnreachable(f"no agent listens on {self.socket_path}; is it running?")
        if isinstance(reason, PermissionError):
            return AgentUnreachable(f"not permitted to use {self.socket_path}; are you in its group?")
        if isinstance(reason, TimeoutError):
            return AgentUnreachable(
                f"the agent on {self.socket_path} did not answer within {self._timeout_s:g} s"
            )
        return AgentUnreachable(f"the connection to the agent on {self.socket_path} failed: {reason}")


def _parsed(model: type[_Answer], data: object) -> _Answer:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _not_ours(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _code(number: int) -> ErrorCode:
    try:
        return ErrorCode(number)
    except ValueError:  # of a newer agent
        return ErrorCode.SERVER_INTERNAL


def _not_ours(why: str) -> CallAgentError:
    return CallAgentError(ErrorCode.MALFORMED_MESSAGE, f"The agent's answer cannot be understood: {why}")
