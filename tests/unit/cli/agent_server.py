# SPDX-License-Identifier: GPL-3.0-or-later
"""A small agent: the control API's paths on a Unix socket, with fixed answers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from callagent.protocol import control as api
from callagent.protocol.base import Wire
from callagent.protocol.enums import CallResult, CallRole, CallState, LoginState, MediaType, RecentCallResult
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import HistoryData, HistoryEntry

CALL_ID = "0b0e8f0e-7c0c-4f0a-9d4e-1f2a3b4c5d6e"
STATUS = api.StatusData(
    state=CallState.CONNECTED,
    login=LoginState.RECONNECTING,
    login_reason="the service does not answer",
    service_url="https://calls.example.org:8443",
    sdk_app_id=1400000001,
    user_id="lobby",
    device_id="linux-1",
    version="0.1.0",
    versions={"aiortc": "1.16"},
    uptime_s=93784.5,
    call=api.CallStatusData(
        call_id=CALL_ID,
        role=CallRole.CALLED,
        media_type=MediaType.VIDEO,
        peers=[api.PeerStatus(user_id="alice", audio_available=True, video_available=True)],
        began_s=83.2,
    ),
    slots={
        "camera": api.SlotStatus(state=api.SlotState.ABSENT, reason="no camera is plugged in"),
        "microphone": api.SlotStatus(
            state=api.SlotState.LIVE, device="virtual-microphone", mode="48000 Hz", details={"muted": False}
        ),
    },
    media={"alice": {"codec": "H264", "round_trip_s": 0.0125}},
    orientation=api.OrientationStatus(
        screen="portrait", reason="display HDMI-A-1 is 1080x1920", camera_rotation=0
    ),
    counters={"calls": 3},
    problems=["The ring sound cannot be read; the built-in one plays instead"],
)
DEVICES = api.DevicesData(
    cameras=[
        api.DeviceInfo(
            id="usb-C920",
            name="C920",
            description="HD Pro Webcam",
            path="/dev/video0",
            in_use=True,
            yaml="camera:\n  device:\n    - path: /dev/video0",
        ),
        api.DeviceInfo(id="platform-cam", name="CSI", problem="is in use by obs (pid 7)"),
    ],
    gpio_chips=[api.DeviceInfo(id="gpio", name="pinctrl-bcm2711", path="/dev/gpiochip0")],
    current=api.CurrentDevices(camera="usb-C920"),
)
CONTROLS = api.CameraControlsData(
    device_id="usb-C920",
    controls=[
        api.CameraControl(
            name="brightness", kind="integer", value=128, minimum=0, maximum=255, step=1, default=128
        ),
        api.CameraControl(
            name="power_line_frequency", kind="menu", value="50 Hz", items=["Disabled", "50 Hz", "60 Hz"]
        ),
        api.CameraControl(name="exposure_time_absolute", kind="integer", inactive=True),
        api.CameraControl(name="privacy", kind="boolean", value=False, read_only=True),
    ],
)
STATS = api.StatsData(
    seconds=5,
    stages=[
        api.StageStats(stage="encoded", count=150, p50_ms=4.25, p95_ms=7.5, max_ms=11),
        api.StageStats(stage="played", count=149, p50_ms=0.1, p95_ms=0.25, max_ms=31.5),
    ],
    drops={"late": 2},
)
HISTORY = HistoryData(
    calls=[
        HistoryEntry(
            call_id=CALL_ID,
            inviter="alice",
            invite_list=["lobby"],
            media_type=MediaType.AUDIO,
            result=RecentCallResult.INCOMING,
            call_result=CallResult.NORMAL_END,
            begin_time=time.mktime((2026, 5, 4, 3, 2, 1, 0, 0, -1)),
            total_time=61,
        )
    ]
)
EVENTS = (
    api.EventMessage(event=api.STATUS_EVENT, time=0, data=STATUS.wire()),
    api.EventMessage(
        event="onCallReceived", time=1_700_000_000_000, data={"callId": CALL_ID, "callerId": "alice"}
    ),
    api.EventMessage(event="onCallEnd", time=1_700_000_001_500, data={"totalTime": 1.5}),
)


@dataclass
class AgentServer:
    """What the last request was, and how to answer the next."""

    path: Path
    asked: list[tuple[str, Any]] = field(default_factory=list)
    refusal: CallAgentError | None = None
    raw: web.Response | None = None
    """Answered as it is, in place of the right answer."""

    def answers(self, model: Wire) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.json() if request.can_read_body else dict(request.query)
            self.asked.append((request.path, body))
            if self.raw is not None:
                return self.raw
            if self.refusal is not None:
                error = self.refusal
                data = api.ErrorData(code=int(error.code), message=error.message, field=error.field)
                return web.json_response(data.wire(), status=api.http_status(error.code))
            return web.json_response(model.wire())

        return handle

    async def events(self, request: web.Request) -> web.StreamResponse:
        channel = web.WebSocketResponse()
        await channel.prepare(request)
        for message in EVENTS:
            await channel.send_json(message.wire())
        await channel.close()
        return channel


@asynccontextmanager
async def agent_server(path: Path) -> AsyncIterator[AgentServer]:
    server = AgentServer(path)
    app = web.Application()
    command = api.CommandData(call_id=CALL_ID)
    for operation, answer in {
        api.STATUS_PATH: STATUS,
        api.DEVICES_PATH: DEVICES,
        api.HISTORY_PATH: HISTORY,
        api.CAMERA_CONTROLS_PATH: CONTROLS,
        api.STATS_PATH: STATS,
    }.items():
        app.router.add_get(operation, server.answers(answer))
    for operation, answer in {
        api.CALL_PATH: api.CallStartedData(call_id=CALL_ID, timeout=30),
        api.ANSWER_PATH: command,
        api.REJECT_PATH: command,
        api.HANGUP_PATH: command,
        api.MICROPHONE_PATH: api.ToggleData(enabled=False),
        api.CAMERA_PATH: api.ToggleData(enabled=True),
        api.SELECT_PATH: DEVICES,
        api.CAMERA_SIDE_PATH: DEVICES,
        api.CAMERA_CONTROLS_PATH: CONTROLS,
        api.VOLUME_PATH: api.VolumeData(volume=65),
        api.PRIVACY_PATH: api.ToggleData(enabled=True),
        api.DOOR_PATH: api.DoneData(),
        api.COMMAND_PATH: api.DoneData(),
    }.items():
        app.router.add_post(operation, server.answers(answer))
    app.router.add_get(api.EVENTS_PATH, server.events)
    app.router.add_get(api.OPENAPI_PATH, _document)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path)).start()
        yield server
    finally:
        await runner.cleanup()


async def _document(_: web.Request) -> web.Response:
    return web.json_response(api.openapi("0"))


def not_now(code: ErrorCode = ErrorCode.REQUEST_REFUSED) -> CallAgentError:
    return CallAgentError(code, "There is no call to answer", "callId")
