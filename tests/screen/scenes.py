# SPDX-License-Identifier: GPL-3.0-or-later
"""Every state of the page, with people and places in each language."""

from dataclasses import dataclass, replace
from typing import Any

from callagent.protocol import control as api
from callagent.protocol.control import INVITE_PATH, MEDIA_TYPE_PATH
from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState, MediaType
from callagent.screen.agent_link import Gone, Heard, Offered, Refused, Told
from callagent.screen.settings import Contact, ScreenSettings
from tests.unit.screen.agents import call_of, ended, event, not_connected, slot, status, told

SIZES = {"landscape": (800, 480), "portrait": (480, 800)}

PLACES = {
    "en": "Ward 3 West",
    "zh-Hans": "三号病区西侧",
    "zh-Hant": "三號病房西側",
    "ja": "西病棟３階",
    "ar": "الجناح الغربي ٣",
}
NAMES = {
    "en": ("Reception", "Nurses' station", "Dr. Emily Watson", "Security"),
    "zh-Hans": ("前台", "护士站", "张晓明医生", "保安室"),
    "zh-Hant": ("服務台", "護理站", "張曉明醫師", "保全室"),
    "ja": ("受付", "ナースステーション", "山田 花子 医師", "警備室"),
    "ar": ("الاستقبال", "محطة التمريض", "د. ليلى حسن", "الأمن"),
}
USERS = ("reception", "nurses", "watson", "guard")
MORE = ("room12", "room14", "room15", "lab", "xray")


@dataclass(frozen=True)
class Scene:
    """What the agent says, in order, and what is special about the site."""

    told: tuple[Told, ...]
    site: dict[str, Any]
    key: str = ""
    """A text that must stand on the page."""


def site(language: str, **values: Any) -> ScreenSettings:
    contacts = tuple(Contact(name, (user,)) for name, user in zip(NAMES[language], USERS, strict=True))
    base = ScreenSettings(place=PLACES[language], language=language, contacts=contacts)
    return replace(base, **values)


def _says(*statuses: api.StatusData, offered: bool = False) -> tuple[Told, ...]:
    paths = frozenset({INVITE_PATH, MEDIA_TYPE_PATH} if offered else ())
    return (Offered(paths), *(Heard(told(each)) for each in statuses))


def _idle(**values: Any) -> api.StatusData:
    return status(**({"panel": api.PanelStatus(buttons={"call": "call reception"})} | values))


def _connected(*peers: api.PeerStatus | str, **values: Any) -> api.StatusData:
    media = values.pop("media_type", MediaType.VIDEO)
    call = call_of(*peers, began_s=754.0, media_type=media)
    panel = values.pop("panel", api.PanelStatus(buttons={"call": "hang up"}))
    return status(CallState.CONNECTED, call=call, panel=panel, **values)


_DIALING = status(
    CallState.CALLING,
    call=call_of("nurses", role=CallRole.CALLER),
    panel=api.PanelStatus(buttons={"call": "hang up"}),
)
_RINGING = status(
    CallState.RINGING, call=call_of("watson"), panel=api.PanelStatus(buttons={"call": "answer"})
)
_MANY = status(CallState.CALLING, call=call_of(*USERS, role=CallRole.CALLER))
_GONE = api.PeerStatus(user_id="watson", audio_available=True, reconnecting=True)
_DARK = api.PeerStatus(user_id="nurses", audio_available=False, video_available=False)

SCENES: dict[str, Scene] = {
    "starting": Scene((Gone("no agent"),), {}, "starting"),
    "idle": Scene(_says(_idle()), {}, "touch_to_call"),
    "idle_no_clock": Scene(_says(_idle()), {"clock": False}, "touch_to_call"),
    "idle_button_only": Scene(_says(_idle()), {"touch": False}, "hint_call"),
    "idle_missed": Scene(_says(_idle(), _idle(counters={"missed_calls": 3})), {}, "missed"),
    "idle_no_network": Scene(_says(_idle(login=LoginState.RECONNECTING)), {}, "no_network"),
    "idle_camera": Scene(
        _says(_idle(slots={"camera": slot("absent"), "microphone": slot("absent")})), {}, "camera_absent"
    ),
    "idle_privacy": Scene(
        _says(_idle(privacy=api.PrivacyStatus(on=True, sources=["software"]))), {}, "privacy_on"
    ),
    "idle_failed": Scene((*_says(_idle()), Refused("call", 8021, "unknown")), {}, "failed_unknown_user"),
    "dialing": Scene(_says(_DIALING), {}, "dialing"),
    "dialing_many": Scene(
        (*_says(_MANY), Heard(event("onUserLineBusy", userId="guard"))), {}, "outcome_busy"
    ),
    "incoming": Scene(_says(_RINGING), {}, "incoming_video"),
    "incoming_banner": Scene(_says(_idle(), _RINGING), {"incoming": "banner"}, "incoming_video"),
    "connected": Scene(_says(_connected("watson")), {}, "control_hang_up"),
    "connected_everything": Scene(
        _says(_connected("watson"), offered=True),
        {"two_cameras": True, "watermark": "CARE · 03"},
        "control_voice",
    ),
    "connected_audio": Scene(
        _says(_connected("watson", media_type=MediaType.AUDIO)), {}, "control_microphone"
    ),
    "connected_reconnecting": Scene(_says(_connected(_GONE)), {}, "reconnecting"),
    "connected_privacy": Scene(
        _says(_connected("watson", privacy=api.PrivacyStatus(on=True, sources=["lever"]))), {}, "privacy_on"
    ),
    "connected_group": Scene(
        (
            *_says(_connected("reception", _DARK, "watson", "guard", "lab"), offered=True),
            Heard(event("onUserVoiceVolumeChanged", volumeMap={"watson": 60})),
            Heard(
                event("onUserNetworkQualityChanged", networkQualityList=[{"userId": "guard", "quality": 4}])
            ),
        ),
        {},
        "control_layout",
    ),
    "connected_pages": Scene(_says(_connected(*USERS, *MORE)), {}, "control_layout"),
    "ended": Scene((*_says(_connected("watson")), Heard(ended(user="watson")), *_says(_idle())), {}, "ended"),
    "ended_busy": Scene(
        (
            *_says(_DIALING),
            Heard(not_connected(CallEndReason.LINE_BUSY, user="nurses")),
            *_says(_idle()),
        ),
        {},
        "ended_busy",
    ),
}
