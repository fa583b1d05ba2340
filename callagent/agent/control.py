# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket: HTTP and a WebSocket of events on a Unix socket, on the agent's own loop.

Who may connect is the file's owner, group and mode (SO_PEERCRED names the
caller in the log). A client that does not read its events is closed, never
waited for.
"""

import asyncio
import contextlib
import grp
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from aiohttp import WSCloseCode, web
from pydantic import ValidationError

from callagent import __version__
from callagent.agent.peer_credentials import peer_of
from callagent.protocol import control as api
from callagent.protocol.base import Wire
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import HistoryData

logger = logging.getLogger(__name__)

EVENT_QUEUE = 256
"""Events a client may be behind before it is closed."""

Model = TypeVar("Model", bound=Wire)


class Controlled(Protocol):
    """What the socket controls; every method may raise CallAgentError."""

    async def status(self) -> api.StatusData: ...
    async def devices(self) -> api.DevicesData: ...
    async def call(self, request: api.CallRequest) -> api.CallStartedData: ...
    async def answer(self) -> api.CommandData: ...
    async def reject(self) -> api.CommandData: ...
    async def hangup(self) -> api.CommandData: ...
    async def set_microphone(self, enabled: bool) -> api.ToggleData: ...
    async def set_camera(self, enabled: bool) -> api.ToggleData: ...
    async def select(self, request: api.SelectRequest) -> api.DevicesData: ...
    async def switch_camera(self, request: api.SideRequest) -> api.DevicesData: ...
    async def camera_controls(self) -> api.CameraControlsData: ...
    async def set_camera_control(self, request: api.SetCameraControlRequest) -> api.CameraControlsData: ...
    async def set_volume(self, request: api.VolumeRequest) -> api.VolumeData: ...
    async def set_privacy(self, enabled: bool) -> api.ToggleData: ...
    async def open_door(self) -> api.DoneData: ...
    async def command(self, request: api.RemoteCommandRequest) -> api.DoneData: ...
    async def history(self, limit: int) -> HistoryData: ...
    async def stats(self, seconds: float) -> api.StatsData: ...


class ControlServer:
    """Serves one agent on one socket path."""

    def __init__(self, agent: Controlled, path: Path, mode: int = 0o660, group: str | None = None) -> None:
        self._agent = agent
        self._path = path
        self._mode = mode
        self._group = group
        self._runner: web.AppRunner | None = None
        self._listeners: set[asyncio.Queue[api.EventMessage | None]] = set()

    @property
    def path(self) -> Path:
        return self._path

    async def start(self) -> None:
        """Listen. Raises OSError when another agent listens there or the folder cannot be used."""
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        await asyncio.to_thread(_remove_stale, self._path)
        runner = web.AppRunner(self._application(), access_log=None)
        await runner.setup()
        # Closed to others from the first moment: the mode is set by umask, the group after.
        before = os.umask(0o777 & ~self._mode)
        try:
            await web.UnixSite(runner, str(self._path)).start()
        except BaseException:
            await runner.cleanup()
            raise
        finally:
            os.umask(before)
        self._runner = runner
        self._give_to_group()

    async def close(self) -> None:
        for queue in self._listeners:
            _offer(queue, None)
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()
            self._path.unlink(missing_ok=True)

    def publish(self, message: api.EventMessage) -> None:
        """Hand an event to every listening client. On the loop; returns at once."""
        for queue in list(self._listeners):
            if not _offer(queue, message):
                logger.warning("a control client does not read its events, closing it")
                self._listeners.discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)

    def _give_to_group(self) -> None:
        if self._group is None:
            return
        try:
            os.chown(self._path, -1, grp.getgrnam(self._group).gr_gid)
        except (KeyError, PermissionError):
            logger.debug("control socket stays with its owner: no group %s to give it to", self._group)

    def _application(self) -> web.Application:
        agent = self._agent
        app = web.Application(middlewares=[_errors], client_max_size=api.MAX_BODY_BYTES)

        def post(path: str, model: type[Model], work: Callable[[Model], Awaitable[Wire]]) -> web.RouteDef:
            async def handle(request: web.Request) -> Wire:
                return await work(await _body(request, model))

            return web.post(path, _answer(handle))

        def toggle(path: str, work: Callable[[bool], Awaitable[Wire]]) -> web.RouteDef:
            return post(path, api.ToggleRequest, lambda request: work(request.enabled))

        async def history(request: web.Request) -> Wire:
            return await agent.history(_parse(api.HistoryQuery, dict(request.query)).limit)

        async def stats(request: web.Request) -> Wire:
            return await agent.stats(_parse(api.StatsQuery, dict(request.query)).seconds)

        app.add_routes(
            [
                web.get(api.STATUS_PATH, _answer(lambda _: agent.status())),
                web.get(api.DEVICES_PATH, _answer(lambda _: agent.devices())),
                post(api.SELECT_PATH, api.SelectRequest, agent.select),
                post(api.CALL_PATH, api.CallRequest, agent.call),
                web.post(api.ANSWER_PATH, _answer(lambda _: agent.answer())),
                web.post(api.REJECT_PATH, _answer(lambda _: agent.reject())),
                web.post(api.HANGUP_PATH, _answer(lambda _: agent.hangup())),
                toggle(api.MICROPHONE_PATH, agent.set_microphone),
                toggle(api.CAMERA_PATH, agent.set_camera),
                post(api.CAMERA_SIDE_PATH, api.SideRequest, agent.switch_camera),
                web.get(api.CAMERA_CONTROLS_PATH, _answer(lambda _: agent.camera_controls())),
                post(api.CAMERA_CONTROLS_PATH, api.SetCameraControlRequest, agent.set_camera_control),
                post(api.VOLUME_PATH, api.VolumeRequest, agent.set_volume),
                toggle(api.PRIVACY_PATH, agent.set_privacy),
                web.post(api.DOOR_PATH, _answer(lambda _: agent.open_door())),
                post(api.COMMAND_PATH, api.RemoteCommandRequest, agent.command),
                web.get(api.HISTORY_PATH, _answer(history)),
                web.get(api.STATS_PATH, _answer(stats)),
                web.get(api.EVENTS_PATH, self._events),
                web.get(api.OPENAPI_PATH, _openapi),
            ]
        )
        return app

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse(heartbeat=20)
        await channel.prepare(request)
        queue: asyncio.Queue[api.EventMessage | None] = asyncio.Queue(EVENT_QUEUE)
        self._listeners.add(queue)
        # Reading notices the client's leaving; a control client has nothing to say.
        reader = asyncio.create_task(_read_until_closed(channel, queue))
        try:
            status = await self._agent.status()
            snapshot = api.EventMessage(event=api.STATUS_EVENT, time=0, data=status.wire())
            await channel.send_json(snapshot.wire())
            while (message := await queue.get()) is not None:
                await channel.send_json(message.wire())
        except ConnectionError:
            pass
        finally:
            self._listeners.discard(queue)
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader
            await channel.close(code=WSCloseCode.GOING_AWAY)
        return channel


async def _read_until_closed(
    channel: web.WebSocketResponse, queue: asyncio.Queue[api.EventMessage | None]
) -> None:
    async for _ in channel:
        pass
    _offer(queue, None)


def _offer(queue: asyncio.Queue[api.EventMessage | None], message: api.EventMessage | None) -> bool:
    try:
        queue.put_nowait(message)
    except asyncio.QueueFull:
        return False
    return True


def _answer(
    handler: Callable[[web.Request], Awaitable[Wire]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            logger.info("%s asked by %s", request.path, _peer(request))
        return web.json_response((await handler(request)).wire())

    return answer


async def _openapi(_: web.Request) -> web.Response:
    return web.json_response(api.openapi(__version__))


async def _body(request: web.Request, model: type[Model]) -> Model:
    try:
        text = await request.json()
    except ValueError as error:
        raise CallAgentError(ErrorCode.MALFORMED_MESSAGE, "The body is not JSON") from error
    return _parse(model, text)


def _parse(model: type[Model], data: object) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise CallAgentError(ErrorCode.PARAM_INVALID, first["msg"], field) from error


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except CallAgentError as error:
        data = api.ErrorData(code=int(error.code), message=error.message[:500], field=error.field)
        return web.json_response(data.wire(), status=api.http_status(error.code))
    except web.HTTPException as error:
        data = api.ErrorData(code=int(ErrorCode.PARAM_INVALID), message=error.reason)
        return web.json_response(data.wire(), status=error.status)


def _peer(request: web.Request) -> str:
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is None:
        return "a client that left"
    pid, uid = peer_of(connection)
    return f"process {pid} of user {uid}"


def _remove_stale(path: Path) -> None:
    """A socket nobody listens on is what a killed agent left; one that answers is another agent's."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} exists and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise FileExistsError(f"another agent listens on {path}")
