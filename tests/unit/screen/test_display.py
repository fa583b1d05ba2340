# SPDX-License-Identifier: GPL-3.0-or-later
"""The display asleep and awake, and dark after a screen that was killed."""

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from callagent.screen.darken import darken
from callagent.screen.display_power import DisplayPower, must_be_awake, outputs_of
from callagent.screen.state import Page, Shown
from callagent.screen.television import Televisions


@pytest.mark.parametrize(
    ("page", "ago", "after", "awake"),
    [
        (Page.IDLE, 10, 60, True),
        (Page.IDLE, 61, 60, False),
        (Page.IDLE, 1e6, 0, True),  # never
        (Page.STARTING, 61, 60, False),
        (Page.INCOMING, 61, 60, True),
        (Page.CONNECTED, 1e6, 60, True),
    ],
)
def test_when_it_sleeps(page: Page, ago: float, after: float, awake: bool) -> None:
    assert must_be_awake(Shown(page), 1e7, 1e7 - ago, after) is awake


class Site:
    def __init__(self) -> None:
        self.shown = Shown(Page.IDLE)
        self.now = 0.0
        self.switched: list[bool] = []
        self.broken = False

    def switch(self, on: bool) -> None:
        if self.broken:
            raise OSError("no such device")
        self.switched.append(on)


def test_it_wakes_when_it_rings_and_sleeps_again_later() -> None:
    site = Site()
    power = DisplayPower([site.switch], 60.0, site, clock=lambda: site.now)
    site.now = 61.0
    power.check()
    assert site.switched == [False]
    site.shown = Shown(Page.INCOMING)
    power.check()
    assert site.switched == [False, True]
    site.shown, site.now = Shown(Page.IDLE), 100.0
    power.check()
    assert power.awake  # since the call only 39 s have passed
    site.now = 122.0
    power.check()
    power.close()
    assert site.switched == [False, True, False, True]


def test_a_display_that_cannot_be_switched_is_no_fault_of_the_page() -> None:
    site = Site()
    site.broken = True
    power = DisplayPower([site.switch], 60.0, site, clock=lambda: site.now)
    site.now = 61.0
    power.check()
    power.close()
    assert site.switched == []


def test_one_that_cannot_be_switched_does_not_keep_the_other_from_it() -> None:
    broken, whole = Site(), Site()
    broken.broken = True
    power = DisplayPower([broken.switch, whole.switch], 60.0, whole, clock=lambda: whole.now)
    whole.now = 61.0
    power.check()
    assert whole.switched == [False]


class Cec:
    """What is said on the wires; `held` keeps it from being said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.held = threading.Event()
        self.speaking = threading.Event()
        self.broken = False

    def run(self, command: Sequence[str]) -> None:
        self.speaking.set()
        assert self.held.wait(10)
        if self.broken:
            raise subprocess.CalledProcessError(1, command)
        self.said.append(" ".join(command[2:]))


def test_televisions_are_told_one_after_the_other() -> None:
    cec = Cec()
    cec.held.set()
    televisions = Televisions(["/dev/cec0", "/dev/cec1"], cec.run)
    televisions(False)
    televisions.close()
    assert cec.said == [
        *("/dev/cec0 --playback", "/dev/cec0 --to 0 --standby"),
        *("/dev/cec1 --playback", "/dev/cec1 --to 0 --standby"),
    ]


def test_nobody_waits_for_a_television_and_the_last_wish_counts() -> None:
    cec = Cec()
    televisions = Televisions(["/dev/cec0"], cec.run)
    televisions(False)
    assert cec.speaking.wait(10)
    for on in (True, False, True):
        televisions(on)
    cec.held.set()
    televisions.close()
    assert [each.split()[-1] for each in cec.said] == [
        "--playback",
        "--standby",
        "--playback",
        "--image-view-on",
    ]


def test_a_television_that_does_not_answer_is_said(caplog: pytest.LogCaptureFixture) -> None:
    cec = Cec()
    cec.held.set()
    cec.broken = True
    televisions = Televisions(["/dev/cec0"], cec.run)
    televisions(True)
    televisions.close()
    assert "the television at /dev/cec0 cannot be switched on" in caplog.text


def test_names_of_outputs() -> None:
    listed = 'HDMI-A-1 "Dell 1234"\n  Modes:\n    1920x1080 px\n\nDSI-1 "panel"\n  Enabled: yes\n'
    assert outputs_of(listed) == ["HDMI-A-1", "DSI-1"]


def test_the_panel_is_cleared(tmp_path: Path) -> None:
    panel = tmp_path / "fb0"
    panel.write_bytes(b"face" * 700_000)
    assert darken(panel) == []
    assert panel.read_bytes() == bytes(2_800_000)
    assert darken(tmp_path / "missing") == []
    # A file is no terminal: said, after the panel was cleared.
    panel.write_bytes(b"face")
    assert len(darken(panel, panel)) == 1
    assert not panel.read_bytes().strip(b"\0")
