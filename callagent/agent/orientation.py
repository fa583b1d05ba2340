# SPDX-License-Identifier: GPL-3.0-or-later
"""How the screen stands, why, and how far the box is turned. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from callagent.devices.accelerometer import Tilt
from callagent.devices.displays import Display, PanelOrientation
from callagent.ports import Rotation

Standing = Literal["portrait", "landscape"]

_TURNS: dict[Tilt, Rotation] = {Tilt.NORMAL: 0, Tilt.LEFT_UP: 270, Tilt.BOTTOM_UP: 180, Tilt.RIGHT_UP: 90}
"""What turns the picture of a camera on the screen's side upright again. Left side up is a quarter clockwise
for who stands before the box, a quarter counter-clockwise for the camera that looks at them."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How everything is to be shown and sent now."""

    screen: Standing
    reason: str
    """What decided it, for people."""
    turn: Rotation = 0
    """Degrees clockwise to add to the rotation of a camera on the screen's side."""

    def camera_rotation(self, built_in: Rotation, side: Literal["front", "back"]) -> Rotation:
        """`built_in`: what turns the camera's picture upright while the box stands upright."""
        # Seen from the other side of the box it turns the other way round.
        turn = self.turn if side == "front" else -self.turn
        return _ROTATIONS[(built_in + turn) % 360 // 90]


_ROTATIONS: tuple[Rotation, ...] = (0, 90, 180, 270)


def resolve(
    configured: Literal["portrait", "landscape", "auto"], displays: Sequence[Display], tilt: Tilt | None
) -> Orientation:
    """`displays`: the connected ones, the one that counts first. `tilt`: None without an accelerometer.

    `auto`: the display tells how the screen stands while the box stands upright, by the orientation of its
    panel and its mode; the accelerometer how the box is turned. What is configured is not turned.
    """
    if configured != "auto":
        return Orientation(configured, "configured")
    display = next((each for each in displays if each.upright_size is not None), None)
    standing, reason = _of_display(display) if display else ("landscape", _without_display(displays))
    if tilt is None:
        return Orientation(standing, reason)
    if tilt in (Tilt.LEFT_UP, Tilt.RIGHT_UP):
        standing = "landscape" if standing == "portrait" else "portrait"
    return Orientation(standing, f"{reason}, accelerometer says {tilt}", _TURNS[tilt])


def _of_display(display: Display) -> tuple[Standing, str]:
    upright = display.upright_size
    assert display.size is not None
    assert upright is not None
    reason = f"display {display.name} is {display.size[0]}x{display.size[1]}"
    if display.panel not in (None, PanelOrientation.NORMAL):
        reason += f", panel orientation {display.panel.lower()}"
    return ("portrait" if upright[1] > upright[0] else "landscape"), reason


def _without_display(displays: Sequence[Display]) -> str:
    if displays:
        return f"display {displays[0].name} does not tell its size"
    return "no display is connected"
