# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be pressed now. Pure."""

from dataclasses import dataclass
from typing import Any, Literal

from callagent.protocol.control import INVITE_PATH, MEDIA_TYPE_PATH, SlotState, StatusData
from callagent.protocol.enums import MediaType
from callagent.screen.known import Known
from callagent.screen.settings import ControlName, ScreenSettings

Kind = Literal["good", "bad", "plain", "off"]
"""`good` starts a call, `bad` ends it, `off` is a switch that stands on off."""


@dataclass(frozen=True, slots=True)
class Control:
    name: str
    """Also the command; its text's key is `control_NAME`."""
    kind: Kind = "plain"
    """How it looks."""


def controls_of(page: str, known: Known, settings: ScreenSettings) -> tuple[Control, ...]:
    """In the order of the row; contacts are not among them. None where the screen cannot be touched."""
    if not settings.touch or known.status is None:
        return ()
    match page:
        case "incoming":
            return (Control("reject", "bad"), Control("answer", "good"))
        case "dialing":
            found = [*_switches(known), Control("hang_up", "bad")]
        case "connected":
            found = [*_switches(known), *_of_call(known, settings), Control("hang_up", "bad")]
        case "idle":
            found = [_privacy(known.status)]
        case _:
            found = []
    return tuple(each for each in found if _group(each.name) not in settings.hidden)


def _group(name: str) -> ControlName | str:
    """The name under which a site hides it."""
    return "volume" if name.startswith("volume_") else name


def _switches(known: Known) -> list[Control]:
    status = known.status
    assert status is not None
    muted = bool(_details(status, "microphone").get("muted"))
    found = [Control("microphone", "off" if muted or status.privacy.on else "plain")]
    if status.call is None or status.call.media_type is MediaType.VIDEO:
        camera = status.slots.get("camera")
        on = camera is not None and camera.state is not SlotState.OFF and not status.privacy.on
        # While it rings at the other side the camera has not been opened; that is no wish of anybody's.
        connected = status.call is not None and status.call.began_s is not None
        found.append(Control("camera", "plain" if on or not connected else "off"))
    return found


def _of_call(known: Known, settings: ScreenSettings) -> list[Control]:
    status = known.status
    assert status is not None
    found = [Control("volume_down"), Control("volume_up")]
    call = status.call
    video = call is not None and call.media_type is MediaType.VIDEO
    alone = call is not None and len(call.peers) == 1
    if video and settings.two_cameras:
        found.append(Control("switch_camera"))
    if video and alone and MEDIA_TYPE_PATH in known.offered:
        found.append(Control("voice"))
    if settings.contacts and INVITE_PATH in known.offered:
        found.append(Control("invite"))
    if call is not None and video:
        if not alone:
            found.append(Control("layout"))
        elif settings.own_picture != "none":
            found.append(Control("swap"))
    return found


def _privacy(status: StatusData) -> Control:
    return Control("privacy", "off" if status.privacy.on else "plain")


def _details(status: StatusData, slot: str) -> dict[str, Any]:
    return status.slots[slot].details if slot in status.slots else {}
