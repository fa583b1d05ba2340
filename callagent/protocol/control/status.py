# SPDX-License-Identifier: Apache-2.0
"""What the agent does now."""

from enum import StrEnum
from typing import Any, Literal

from callagent.protocol.base import Wire
from callagent.protocol.enums import CallRole, CallState, LoginState, MediaType

STATUS_EVENT = "status"
"""`EventMessage.event` of the snapshot that opens the event stream; its data is a `StatusData`."""


ORIENTATION_CHANGED_EVENT = "orientationChanged"
"""`EventMessage.event` after the screen stands otherwise, or for another reason; its data is an
`OrientationStatus`."""


class SlotState(StrEnum):
    """What a camera, microphone or speaker slot gives at this moment."""

    OFF = "off"
    STARTING = "starting"
    LIVE = "live"
    ABSENT = "absent"
    FAILED = "failed"


class SlotMoment(Wire):
    """Something that happened to a slot."""

    time_s: float
    """On the machine's monotonic clock."""
    event: str
    """`opening`, `live`, `lost`, `stalled`, `filled` (the first slate), `refused`, `swapped`, `stopped`."""
    device: str
    """Id of the device it is about; empty for none."""


class SlotStatus(Wire):
    state: SlotState
    reason: str = ""
    """One sentence for a person when the state is absent or failed."""
    code: int = 0
    """Error code of the reason, such as -1316 for a camera that is in use."""
    device: str | None = None
    """Id of the device behind the slot, as in `DevicesData`."""
    mode: str | None = None
    """What the device really gives, such as `640x480@15`."""
    details: dict[str, Any] = {}
    history: list[SlotMoment] = []
    """The last moments, oldest first."""


class PeerStatus(Wire):
    """Another member of the call."""

    user_id: str
    audio_available: bool = False
    video_available: bool = False
    reconnecting: bool = False


class CallStatusData(Wire):
    call_id: str
    role: CallRole
    media_type: MediaType
    peers: list[PeerStatus]
    began_s: float | None = None
    """Seconds since it began; none while nobody has accepted."""


class PrivacyStatus(Wire):
    """The privacy switch: while it is on, camera and microphone are closed at the device."""

    on: bool = False
    sources: list[str] = []
    """What keeps it on: `software`, `camera` (its own shutter), the names of switches."""


class OrientationStatus(Wire):
    """How screen and camera stand, and why."""

    screen: Literal["portrait", "landscape"]
    reason: str
    """What decided it, such as `display HDMI-A-1 is 1080x1920`."""
    camera_rotation: Literal[0, 90, 180, 270]
    """Degrees clockwise that turn the camera's picture upright now."""


class PanelStatus(Wire):
    """Buttons and lights of the box."""

    buttons: dict[str, str] = {}
    """By name: what a press does now, for people."""
    lights: dict[str, str] = {}
    """By name: the pattern it shows."""


class StatusData(Wire):
    """Answer of GET /v1/status."""

    state: CallState
    login: LoginState
    login_reason: str = ""
    """Why it is not online, in one sentence."""
    service_url: str
    sdk_app_id: int
    user_id: str
    device_id: str
    version: str
    versions: dict[str, str] = {}
    """Of the libraries that matter."""
    uptime_s: float
    call: CallStatusData | None = None
    slots: dict[str, SlotStatus] = {}
    """By slot: `camera`, `microphone`, `speaker`."""
    media: dict[str, Any] = {}
    """Figures of the running call's media."""
    privacy: PrivacyStatus = PrivacyStatus()
    orientation: OrientationStatus | None = None
    panel: PanelStatus = PanelStatus()
    hardware_profile: str = ""
    """The name of the one whose defaults are used, empty without."""
    counters: dict[str, int] = {}
    """Since the agent started."""
    problems: list[str] = []
    """What a person should look at, one sentence each."""
