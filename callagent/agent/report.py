# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent says of itself: the models of the control socket, filled from its parts."""

import time
from importlib.metadata import version
from typing import Any, Protocol

from callagent import __version__
from callagent.agent.panel import Panel
from callagent.agent.selection import selector_yaml
from callagent.agent.studio import Studio
from callagent.call.engine import CallEngine
from callagent.call.status import EngineStatus
from callagent.config import AgentConfig
from callagent.devices.inventory import DeviceInfo, DeviceKind, Inventory
from callagent.devices.registry import Registry
from callagent.media.slot_log import SlotEvent, SlotLog
from callagent.ports import SourceState
from callagent.protocol import control as api
from callagent.protocol.enums import LoginState

_LIBRARIES = ("aiortc", "av")
_MOMENTS = 24
"""Of a slot's history."""


class Slot(Protocol):
    """What every slot tells of itself."""

    @property
    def state(self) -> SourceState: ...

    @property
    def reason(self) -> str: ...

    @property
    def error_code(self) -> int: ...

    @property
    def device(self) -> str | None: ...

    @property
    def log(self) -> SlotLog: ...


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


def history_of(log: SlotLog) -> list[api.SlotMoment]:
    return [
        api.SlotMoment(time_s=moment.time, event=moment.event.value, device=moment.device)
        for moment in log.recent(_MOMENTS)
    ]


def slot_status(slot: Slot, mode: str | None = None, **details: Any) -> api.SlotStatus:
    return api.SlotStatus(
        state=api.SlotState(slot.state.value),
        reason=slot.reason,
        code=slot.error_code,
        device=slot.device,
        mode=mode,
        details=details,
        history=history_of(slot.log),
    )


def slots_status(studio: Studio) -> dict[str, api.SlotStatus]:
    mode = studio.camera.mode
    camera_mode = f"{mode.width}x{mode.height}@{mode.fps}" if mode else None
    details: dict[str, dict[str, Any]] = {
        "camera": {"rotation": studio.camera.rotation} if studio.camera.rotation else {},
        "microphone": {"muted": studio.microphone.muted} | studio.processing.figures(),
        "speaker": {"volume": studio.speaker.volume},
    }
    return {
        name: slot_status(
            slot,
            camera_mode if name == "camera" else None,
            **details.get(name, {}),
            **counts_of(slot.log),
            **_device_details(studio.bindings[name].source),
        )
        for name, slot in studio.slots.items()
    }


def counts_of(log: SlotLog) -> dict[str, Any]:
    """How often the slot lost its device, and how long the last gap was; nothing while all went well."""
    events = (SlotEvent.LOST, SlotEvent.STALLED, SlotEvent.REFUSED, SlotEvent.SWAPPED)
    counts: dict[str, Any] = {event.value: log.counts[event] for event in events if log.counts[event]}
    if log.last_gap_s is not None:
        counts["last_gap_ms"] = round(1000 * log.last_gap_s)
    return counts


def _device_details(source: Any) -> dict[str, Any]:
    """Counters of a real device: frames, damaged, xruns and so on; why a camera runs in its mode."""
    counters = {name: count for name, count in getattr(source, "counters", {}).items() if count}
    reason = getattr(source, "mode_reason", "")
    return counters | ({"mode_reason": reason} if reason else {})


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
    privacy: api.PrivacyStatus,
    orientation: api.OrientationStatus,
    registry: Registry,
    panel: Panel,
    hardware_profile: str,
) -> api.StatusData:
    """`began`: monotonic seconds of the agent's start."""
    status = engine.state
    slots = slots_status(studio)
    screen = {"pictures": studio.screen.frames, "codes_read": studio.screen.read}
    media: dict[str, Any] = {"peers": await engine.media_statistics(), "screen": screen}
    sent = studio.local.video_details()
    media |= {"sent_video": sent} if sent else {}
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
        privacy=privacy,
        orientation=orientation,
        panel=api.PanelStatus(buttons=panel.hints, lights=panel.patterns),
        hardware_profile=hardware_profile,
        problems=[
            *problems(status, slots),
            *(problem for binding in studio.bindings.values() for problem in binding.problems),
            *([registry.problem] if registry.problem else []),
            *studio.sound_problems,
            *studio.processing.problems,
            *panel.problems,
        ],
    )


def devices_report(studio: Studio, present: Inventory) -> api.DevicesData:
    """What is plugged in now, and what of it is behind the slots."""
    current = {name: binding.chosen.id for name, binding in studio.bindings.items() if binding.chosen}
    of_kind = {kind: [_device(device, present, studio) for device in present.of(kind)] for kind in DeviceKind}
    return api.DevicesData(
        cameras=of_kind[DeviceKind.CAMERA],
        microphones=of_kind[DeviceKind.MICROPHONE],
        speakers=of_kind[DeviceKind.SPEAKER],
        displays=of_kind[DeviceKind.DISPLAY],
        keys=of_kind[DeviceKind.KEYS],
        gpio_chips=of_kind[DeviceKind.GPIO_CHIP],
        current=api.CurrentDevices(**current),
    )


def _device(device: DeviceInfo, present: Inventory, studio: Studio) -> api.DeviceInfo:
    bindings = [
        binding
        for binding in studio.bindings.values()
        if any(each.kind is device.kind and each.id == device.id for each in binding.ranked)
    ]
    return api.DeviceInfo(
        id=device.id,
        name=device.name,
        description=device.description,
        path=device.path,
        serial=device.serial,
        port=device.port,
        vendor=device.vendor,
        model=device.model,
        bus=device.bus,
        plugged=device.plugged,
        in_use=any(binding.chosen is not None and binding.chosen.id == device.id for binding in bindings),
        problem=next((text for each in bindings if (text := each.trouble_of(device.id))), ""),
        yaml=selector_yaml(device, present),
    )
