# SPDX-License-Identifier: Apache-2.0
"""Devices: what is present, what is in use, and how to change that."""

from typing import Annotated, Literal

from pydantic import Field

from callagent.protocol.base import ShortText, Wire

DEVICE_CHANGED_EVENT = "deviceChanged"
"""`EventMessage.event` after a device came, went or took another's place; its data is a `DevicesData`."""

SlotName = Literal["camera", "microphone", "speaker", "ring_speaker"]


class DeviceInfo(Wire):
    id: str
    """Stable over reboots and other sockets' changes."""
    name: str
    description: str = ""
    path: str | None = None
    serial: str = ""
    port: str = ""
    """Where it is plugged in."""
    vendor: str = ""
    model: str = ""
    bus: str = ""
    plugged: bool = True
    """False: an output that is there without anything connected to it."""
    in_use: bool = False
    """By this agent."""
    problem: str = ""
    """Why it is not used although the configuration prefers it."""
    yaml: str = ""
    """What to paste into the configuration to choose this device."""


class CurrentDevices(Wire):
    """Ids of the devices behind the slots; none where there is no device."""

    camera: str | None = None
    microphone: str | None = None
    speaker: str | None = None
    ring_speaker: str | None = None


class DevicesData(Wire):
    """Answer of GET /v1/devices, and data of the event `deviceChanged`: what is present now."""

    cameras: list[DeviceInfo] = []
    microphones: list[DeviceInfo] = []
    speakers: list[DeviceInfo] = []
    displays: list[DeviceInfo] = []
    keys: list[DeviceInfo] = []
    gpio_chips: list[DeviceInfo] = []
    current: CurrentDevices = CurrentDevices()


class SelectRequest(Wire):
    """Body of POST /v1/devices/select; answered with `DevicesData`."""

    slot: SlotName
    device_id: ShortText | None = None
    """Preferred over the configuration while it is present; absent: as configured again."""


class SideRequest(Wire):
    """Body of POST /v1/camera/side; answered with `DevicesData`. For the present call."""

    side: Literal["front", "back"] | None = None
    """Absent: the other one."""


class CameraControl(Wire):
    """One control of the camera in use (V4L2)."""

    name: str
    kind: Literal["integer", "boolean", "menu", "button"]
    value: int | bool | str | None = None
    minimum: int | None = None
    maximum: int | None = None
    step: int | None = None
    default: int | bool | str | None = None
    items: list[str] = []
    """Of a menu."""
    read_only: bool = False
    inactive: bool = False
    """Of no effect at the moment, since an automatic one is on."""


class CameraControlsData(Wire):
    """Answer of GET /v1/camera/controls."""

    device_id: str
    controls: list[CameraControl]


class SetCameraControlRequest(Wire):
    """Body of POST /v1/camera/controls; answered with `CameraControlsData`."""

    name: ShortText
    value: bool | int | ShortText


class VolumeRequest(Wire):
    """Body of POST /v1/volume: `volume`, or `step` to add to it."""

    volume: Annotated[int, Field(ge=0, le=100)] | None = None
    step: Annotated[int, Field(ge=-100, le=100)] | None = None


class VolumeData(Wire):
    """Answer of POST /v1/volume: per cent, how it is now."""

    volume: int
