# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera's controls on a kernel of paper that keeps their ranges, as the real one does."""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

import linuxpy.ioctl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from linuxpy.video import raw
from linuxpy.video.device import ControlType

from callagent.devices.camera_controls import (
    PRIVACY_ID,
    apply_controls,
    name_of,
    read_controls,
    read_privacy,
)
from callagent.devices.errors import CAMERA_SET_PARAM_FAIL, NO_CAMERA
from callagent.devices.video4linux import V4l2Camera
from callagent.ports import SourceError

BRIGHTNESS, POWER, AUTO, EXPOSURE = 0x980900, 0x980918, 0x9A0901, 0x9A0902


ITEMS = (b"Disabled", b"50 Hz", b"60 Hz")


@dataclass
class Control:
    id: int
    name: bytes
    type: int
    minimum: int
    maximum: int
    value: int
    flags: int = 0
    items: tuple[bytes, ...] = ()


class PaperControls:
    """Answers the control ioctls; exposure may be set only while automatic exposure is off."""

    def __init__(self) -> None:
        kinds = ControlType
        self.controls = [
            Control(BRIGHTNESS, b"Brightness", kinds.INTEGER, -10, 255, 128),
            Control(POWER, b"Power Line Frequency", kinds.MENU, 0, 2, 1, items=ITEMS),
            Control(AUTO, b"Exposure, Automatic", kinds.BOOLEAN, 0, 1, 1),
            Control(EXPOSURE, b"Exposure Time, Absolute", kinds.INTEGER, 3, 2047, 250),
            Control(PRIVACY_ID, b"Privacy", kinds.BOOLEAN, 0, 1, 0, flags=raw.ControlFlag.READ_ONLY),
        ]
        self.order: list[int] = []

    def ioctl(self, fd: object, request: object, arg: object = None) -> int:
        if isinstance(arg, raw.v4l2_query_ext_ctrl):
            self._query(arg)
        elif isinstance(arg, raw.v4l2_querymenu):
            items = self._get(arg.id).items
            if arg.index >= len(items):
                raise OSError(errno.EINVAL, "no such item")
            arg.name = items[arg.index]
        elif isinstance(arg, raw.v4l2_control):
            control = self._get(arg.id)
            if request is raw.IOC.G_CTRL:
                arg.value = control.value
            else:
                self._set(control, arg.value)
        else:
            raise OSError(errno.ENOTTY, "not here")
        return 0

    def _query(self, arg: "raw.v4l2_query_ext_ctrl") -> None:
        after = arg.id & 0x0FFFFFFF
        for control in sorted(self.controls, key=lambda each: each.id):
            if control.id > after:
                arg.id, arg.name, arg.type = control.id, control.name, control.type
                arg.minimum, arg.maximum, arg.step = control.minimum, control.maximum, 1
                arg.default_value = control.value
                automatic = control.id == EXPOSURE and self._get(AUTO).value
                arg.flags = control.flags | (raw.ControlFlag.INACTIVE if automatic else 0)
                return
        raise OSError(errno.EINVAL, "no more")

    def _get(self, number: int) -> Control:
        found = next((control for control in self.controls if control.id == number), None)
        if found is None:
            raise OSError(errno.EINVAL, "no such control")
        return found

    def _set(self, control: Control, value: int) -> None:
        assert control.minimum <= value <= control.maximum, "the kernel would refuse or clamp it"
        if control.id == EXPOSURE and self._get(AUTO).value:
            raise OSError(errno.EACCES, "automatic")
        self.order.append(control.id)
        control.value = value


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> PaperControls:
    paper = PaperControls()
    monkeypatch.setattr(linuxpy.ioctl.fcntl, "ioctl", paper.ioctl)
    return paper


@pytest.fixture
def camera(paper: PaperControls, tmp_path: Path) -> V4l2Camera:
    (tmp_path / "video0").touch()
    return V4l2Camera(str(tmp_path / "video0"))


def test_what_there_is_and_how_it_stands(camera: V4l2Camera) -> None:
    controls = {control.name: control for control in camera.controls()}
    assert list(controls) == [
        "brightness",
        "power_line_frequency",
        "exposure_automatic",
        "exposure_time_absolute",
        "privacy",
    ]
    assert (controls["brightness"].value, controls["brightness"].minimum) == (128, -10)
    power = controls["power_line_frequency"]
    assert (power.kind, power.value, power.items) == ("menu", "50 Hz", ("Disabled", "50 Hz", "60 Hz"))
    assert controls["exposure_automatic"].value is True
    assert controls["exposure_time_absolute"].inactive
    assert controls["privacy"].read_only
    assert camera.privacy() is False


def test_setting_one(camera: V4l2Camera, paper: PaperControls) -> None:
    camera.set_control("brightness", 200)
    camera.set_control("power_line_frequency", "60 hz")
    camera.set_control("exposure_automatic", False)
    assert [control.value for control in paper.controls[:3]] == [200, 2, 0]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("brightness", 300, "brightness takes -10 to 255, not 300"),
        ("brightness", "loud", "brightness takes -10 to 255, not loud"),
        ("power_line_frequency", "70 Hz", "takes one of: Disabled, 50 Hz, 60 Hz; not 70 Hz"),
        ("privacy", True, "can only be read"),
        ("sharpness", 1, "has no control sharpness; it has: brightness"),
        ("exposure_time_absolute", 100, "refuses exposure_time_absolute"),
    ],
)
def test_what_a_camera_does_not_take(camera: V4l2Camera, name: str, value: int | str, said: str) -> None:
    with pytest.raises(SourceError, match=re.escape(said)) as refused:
        camera.set_control(name, value)
    assert refused.value.code == CAMERA_SET_PARAM_FAIL


def test_automatic_ones_go_first(paper: PaperControls, tmp_path: Path) -> None:
    wanted = {"brightness": 20, "exposure_time_absolute": 100, "exposure_automatic": False, "pan": 3}
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        (complaint,) = apply_controls(descriptor, wanted)
        assert "no control pan" in complaint
        assert {control.name: control.value for control in read_controls(descriptor)}[
            "exposure_time_absolute"
        ] == 100
        assert read_privacy(descriptor) is False
    finally:
        os.close(descriptor)
    assert paper.order.index(AUTO) < paper.order.index(EXPOSURE)


def test_a_camera_that_is_gone() -> None:
    with pytest.raises(SourceError) as gone:
        V4l2Camera("/dev/video_that_is_not_there").controls()
    assert gone.value.code == NO_CAMERA


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["brightness", "power_line_frequency", "exposure_automatic"]), st.integers(-500, 500))
def test_no_number_reaches_the_camera_that_it_does_not_take(
    camera: V4l2Camera, name: str, value: int
) -> None:
    control = next(each for each in camera.controls() if each.name == name)
    try:
        camera.set_control(name, value)
    except SourceError:
        assert not control.minimum <= value <= control.maximum
    else:
        assert control.minimum <= value <= control.maximum


def test_names_are_those_of_v4l2_ctl() -> None:
    assert name_of(b"White Balance, Automatic") == "white_balance_automatic"
    assert name_of(b"Pan (Absolute)") == "pan_absolute"
