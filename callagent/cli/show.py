# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent answers, as text for a person."""

import time
from collections.abc import Iterator

from callagent.cli.table import table
from callagent.protocol.control import (
    STATUS_EVENT,
    CallStatusData,
    CameraControl,
    CameraControlsData,
    DeviceInfo,
    DevicesData,
    EventMessage,
    SlotStatus,
    StatsData,
    StatusData,
)
from callagent.protocol.enums import CallState
from callagent.protocol.replies import HistoryData


def show_status(status: StatusData) -> str:
    rows = [
        ("state", _call(status.call, status.state) if status.call else status.state.value),
        ("service", f"{status.service_url}, {status.login.value}{_reason(status.login_reason)}"),
        ("user", f"{status.user_id} (app {status.sdk_app_id}) on {status.device_id}"),
        *((name, _slot(slot)) for name, slot in status.slots.items()),
        *((f"  {name}", _plain(value)) for name, value in _flat("", status.media)),
        ("up", duration(status.uptime_s)),
        ("version", ", ".join([status.version, *(f"{name} {of}" for name, of in status.versions.items())])),
    ]
    if status.privacy.on:
        rows.append(("privacy", f"on, by {', '.join(status.privacy.sources)}"))
    if status.orientation is not None:
        rows.append(("screen", f"{status.orientation.screen}, {status.orientation.reason}"))
    rows += [(f"button {name}", hint) for name, hint in status.panel.buttons.items()]
    rows += [(f"light {name}", pattern) for name, pattern in status.panel.lights.items()]
    if status.hardware_profile:
        rows.append(("hardware", status.hardware_profile))
    if status.counters:
        rows.append(("counters", ", ".join(f"{name} {count}" for name, count in status.counters.items())))
    rows += [("problem", problem) for problem in status.problems]
    return table((), rows)


def show_devices(devices: DevicesData) -> str:
    always = (
        ("cameras", devices.cameras),
        ("microphones", devices.microphones),
        ("speakers", devices.speakers),
    )
    others = (("displays", devices.displays), ("keys", devices.keys), ("GPIO chips", devices.gpio_chips))
    groups = (*always, *((title, found) for title, found in others if found))
    return "\n\n".join(f"{title}\n{_devices(found)}" for title, found in groups)


def show_controls(data: CameraControlsData) -> str:
    rows = [
        (
            control.name,
            "" if control.value is None else _plain(control.value),
            _range(control),
            ", ".join(
                note
                for note, holds in (("read only", control.read_only), ("inactive", control.inactive))
                if holds
            ),
        )
        for control in data.controls
    ]
    return table(("CONTROL", "VALUE", "RANGE", ""), rows) if rows else "this camera has no controls"


def _range(control: CameraControl) -> str:
    if control.items:
        return " | ".join(control.items)
    if control.kind == "boolean":
        return "on | off"
    return "" if control.minimum is None else f"{control.minimum} to {control.maximum}, step {control.step}"


def show_history(history: HistoryData) -> str:
    rows = [
        (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.begin_time)),
            entry.result.value,
            entry.call_result.value,
            entry.media_type.name.lower(),
            entry.inviter,
            ",".join(entry.invite_list),
            duration(entry.total_time) if entry.total_time else "",
        )
        for entry in history.calls
    ]
    return table(("BEGAN", "FOR US", "RESULT", "MEDIA", "FROM", "TO", "DURATION"), rows)


def show_stats(stats: StatsData) -> str:
    if not stats.stages and not stats.drops:
        return f"no picture passed within {stats.seconds:g} s; is there a call?"
    rows = [
        (each.stage, str(each.count), *(f"{value:.2f}" for value in (each.p50_ms, each.p95_ms, each.max_ms)))
        for each in stats.stages
    ]
    text = table(("STAGE", "COUNT", "P50 MS", "P95 MS", "MAX MS"), rows)
    return "\n".join([text, *(f"dropped, {cause}: {count}" for cause, count in stats.drops.items())])


def show_event(message: EventMessage) -> str:
    """One line, whatever the event carries."""
    stamp = time.strftime("%H:%M:%S", time.localtime(message.time / 1000)) if message.time else "now     "
    if message.event == STATUS_EVENT:
        known = {key: message.data.get(key) for key in ("state", "login", "userId")}
        return f"{stamp}  {message.event}  {_pairs(known)}".rstrip()
    return f"{stamp}  {message.event}  {_pairs(message.data)}".rstrip()


def duration(seconds: float) -> str:
    """`1:02:03`, days in front where there are any."""
    days, rest = divmod(int(seconds), 86400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock


def _call(call: CallStatusData, state: CallState) -> str:
    others = []
    for peer in call.peers:
        sends = [
            kind for kind, on in (("audio", peer.audio_available), ("video", peer.video_available)) if on
        ]
        notes = [
            *(["reconnecting"] if peer.reconnecting else []),
            *([f"sends {' and '.join(sends)}"] if sends else []),
        ]
        others.append(f"{peer.user_id} ({', '.join(notes)})" if notes else peer.user_id)
    kind = f"{call.media_type.name.lower()} call, {call.role.name.lower()}"
    text = f"{state.value}, {kind}, with {', '.join(others)}"
    return text if call.began_s is None else f"{text}, for {duration(call.began_s)}"


def _slot(slot: SlotStatus) -> str:
    parts = [slot.state.value, *([slot.device] if slot.device else []), *([slot.mode] if slot.mode else [])]
    details = _pairs(slot.details)
    return " ".join(parts) + _reason(slot.reason) + (f" ({details})" if details else "")


def _reason(reason: str) -> str:
    return f": {reason}" if reason else ""


def _devices(found: list[DeviceInfo]) -> str:
    if not found:
        return "  none"
    rows = [
        (
            "  *" if device.in_use else "   ",
            device.id,
            device.name,
            device.path or "",
            "; ".join(text for text in (device.description, device.problem) if text),
        )
        for device in found
    ]
    lines = table((), rows).splitlines()
    for index, device in reversed(list(enumerate(found))):
        lines[index + 1 : index + 1] = [f"       {line}" for line in device.yaml.splitlines()]
    return "\n".join(lines)


def _pairs(data: dict[str, object]) -> str:
    return " ".join(f"{key}={_plain(value)}" for key, value in _flat("", data))


def _flat(prefix: str, data: dict[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{key}.", value)
        elif value is not None:
            yield f"{prefix}{key}", value


def _plain(value: object) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return " ".join(text.split())
