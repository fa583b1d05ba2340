# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pin factory does without a chip; with real ones it is proved in the laboratory."""

from pathlib import Path

import gpiozero
import pytest

from callagent.devices.gpio import GpiodFactory, Line


class Device:
    """Whoever reserves a line."""


def test_a_line_is_given_to_one_device_at_a_time(tmp_path: Path) -> None:
    factory = GpiodFactory(tmp_path)
    lamp, button = Device(), Device()
    line = Line(17, chip="pinctrl-bcm2711")
    factory.reserve_pins(lamp, line)
    factory.reserve_pins(lamp, line)
    same_line = Line(17, chip="pinctrl-bcm2711", bias="pull_up")
    with pytest.raises(gpiozero.GPIOPinInUse, match="pinctrl-bcm2711:17 is used twice"):
        factory.reserve_pins(button, same_line)
    factory.reserve_pins(button, Line(18, chip="pinctrl-bcm2711"))
    factory.release_pins(button, line.name)
    with pytest.raises(gpiozero.GPIOPinInUse):
        factory.reserve_pins(button, line)
    factory.release_pins(lamp, line.name)
    factory.reserve_pins(button, line)
    factory.close()


def test_a_device_that_is_no_more_reserves_nothing(tmp_path: Path) -> None:
    factory = GpiodFactory(tmp_path)
    factory.reserve_pins(Device(), Line("DOOR"))
    button = Device()
    factory.reserve_pins(button, Line("DOOR"))
    factory.release_all(button)
    other = Device()
    factory.reserve_pins(other, Line("DOOR"))
    factory.close()


@pytest.mark.parametrize("line", [Line("DOOR"), Line(3), Line(3, chip="expander")])
def test_a_line_that_is_nowhere(tmp_path: Path, line: Line) -> None:
    # Not every file of that name is a chip.
    (tmp_path / "gpiochip0").write_text("")
    factory = GpiodFactory(tmp_path)
    with pytest.raises(gpiozero.PinInvalidPin, match=line.name):
        gpiozero.LED(line, pin_factory=factory)
    factory.close()
    factory.close()
