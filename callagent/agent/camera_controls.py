# SPDX-License-Identifier: GPL-3.0-or-later
"""Brightness, focus, zoom and so on of the camera in use, for the control API. On the loop; a control
transfer may take the camera five seconds, so it is done on a thread."""

import asyncio
from typing import Any

from callagent.agent.binding import Binding
from callagent.devices.camera_controls import ControlInfo
from callagent.devices.video4linux import V4l2Camera
from callagent.ports import SourceError
from callagent.protocol import control as api
from callagent.protocol.errors import CallAgentError, ErrorCode


async def camera_controls(binding: Binding[Any]) -> api.CameraControlsData:
    """Raises CallAgentError when there is no camera with controls, or it does not answer."""
    camera = _camera(binding)
    try:
        found = await asyncio.to_thread(camera.controls)
    except SourceError as error:
        raise CallAgentError(ErrorCode(error.code), str(error)) from error
    return api.CameraControlsData(device_id=camera.name, controls=[_control(each) for each in found])


async def set_camera_control(binding: Binding[Any], name: str, value: bool | int | str) -> None:
    """Raises CallAgentError naming what the camera takes."""
    camera = _camera(binding)
    try:
        await asyncio.to_thread(camera.set_control, name, value)
    except SourceError as error:
        raise CallAgentError(ErrorCode(error.code), str(error), "value") from error


def _camera(binding: Binding[Any]) -> V4l2Camera:
    camera = binding.source
    if not isinstance(camera, V4l2Camera):
        raise CallAgentError(ErrorCode.REQUEST_REFUSED, "There is no camera with controls")
    return camera


def _control(control: ControlInfo) -> api.CameraControl:
    return api.CameraControl(
        name=control.name,
        kind=control.kind,
        value=control.value,
        minimum=control.minimum,
        maximum=control.maximum,
        step=control.step,
        default=control.default,
        items=list(control.items),
        read_only=control.read_only,
        inactive=control.inactive,
    )
