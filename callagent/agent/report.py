# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent says of itself: the models of the control socket, filled from its parts."""

import time
from importlib.metadata import version
from typing import Any, Protocol

from callagent import __version__
from callagent.agent.studio import Studio
from callagent.call.engine import CallEngine
from callagent.call.status import EngineStatus
from callagent.config import AgentConfig
from callagent.devices.listing import list_cameras, list_microphones, list_speakers
from callagent.ports import SourceState
from callagent.protocol import control as api
from callagent.protocol.enums import LoginState

_LIBRARIES = ("aiortc", "av")


class Slot(Protocol):
    """What every slot tells of itself."""

    @property
    def state(self) -> SourceState: ...

    @property
    def reason(self) -> str: ...

    @property
    def device(self) -> str | None: ...


def call_status(status: EngineStatus) -> api.CallStatusData | None:
    """The running call, none while idle or while the service has not named it."""
    if not status.call_id:
        return None
    members = {member.user_id: member for member in status.members}
    return api.CallStatusData(
        call_id=status.call_id,
        role=status.role,
        media_type=status.media_type,
        peers=[
            api.PeerStatus(
                user_id=user,
                audio_available=user in members and members[user].audio_available,
                video_available=user in members and members[user].video_available,
                reconnecting=user in members and members[user].reconnecting,
            )
            for user in status.peer_ids
        ],
        began_s=None if status.began is None else time.monotonic() - status.began,
    )


def slot_status(slot: Slot, mode: str | None = None, **details: Any) -> api.SlotStatus:
    return api.SlotStatus(
        state=api.SlotState(slot.state.value),
        reason=slot.reason,
        device=slot.device,
        mode=mode,
        details=details,
    )


def slots_status(studio: Studio) -> dict[str, api.SlotStatus]:
    mode = studio.camera.mode
    camera_mode = f"{mode.width}x{mode.height}@{mode.fps}" if mode else None
    return {
        "camera": slot_status(studio.camera, camera_mode),
        "microphone": slot_status(studio.microphone, muted=studio.microphone.muted),
        "speaker": slot_status(studio.speaker, volume=studio.speaker.volume),
    }


def problems(status: EngineStatus, slots: dict[str, api.SlotStatus]) -> list[str]:
    """One sentence for each thing a person should look at."""
    found = []
    if status.login_state is not LoginState.ONLINE:
        found.append(status.last_error or "Not logged in to the call service")
    found += [
        f"{name}: {slot.reason}"
        for name, slot in slots.items()
        if slot.state in (api.SlotState.ABSENT, api.SlotState.FAILED)
    ]
    return found


async def status_report(
    config: AgentConfig,
    engine: CallEngine,
    studio: Studio,
    *,
    device_id: str,
    user_id: str,
    began: float,
    missed_calls: int,
) -> api.StatusData:
    """`began`: monotonic seconds of the agent's start."""
    status = engine.state
    slots = slots_status(studio)
    screen = {"pictures": studio.screen.frames, "codes_read": studio.screen.read}
    media: dict[str, Any] = {"peers": await engine.media_statistics(), "screen": screen}
    return api.StatusData(
        state=status.call_state,
        login=status.login_state,
        login_reason=status.last_error,
        service_url=config.service.url,
        sdk_app_id=config.service.sdk_app_id,
        user_id=user_id,
        device_id=device_id,
        version=__version__,
        versions={name: version(name) for name in _LIBRARIES},
        uptime_s=time.monotonic() - began,
        call=call_status(status),
        slots=slots,
        media=media,
        counters={"missed_calls": missed_calls},
        problems=problems(status, slots) + studio.sound_problems,
    )


def devices_report(studio: Studio) -> api.DevicesData:
    """What is plugged in now. Blocks: for worker threads."""

    def info(device: Any, section: str, used: str | None) -> api.DeviceInfo:
        return api.DeviceInfo(
            id=device.id,
            name=device.name,
            description=device.description,
            path=device.path,
            in_use=device.id == used or device.path == used,
            yaml=f"{section}:\n  device: {device.path}\n",
        )

    return api.DevicesData(
        cameras=[info(device, "camera", studio.camera.device) for device in list_cameras()],
        microphones=[info(device, "microphone", studio.microphone.device) for device in list_microphones()],
        speakers=[info(device, "speaker", studio.speaker.device) for device in list_speakers()],
    )
