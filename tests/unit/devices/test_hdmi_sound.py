# SPDX-License-Identifier: GPL-3.0-or-later
"""HDMI outputs: what the card's controls say of the display, and that a change is noticed."""

import ctypes
import json
import select
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.devices import alsa_control
from callagent.devices.alsa_control import IFACE_CARD, IFACE_PCM, Element
from callagent.devices.hdmi_sound import Output, outputs_of, takes_sound
from callagent.devices.inventory import DeviceKind
from callagent.devices.records import inventory_of
from callagent.devices.sink_watch import SinkWatch
from callagent.devices.virtual.scripted import ScriptedHardware
from tests.unit.devices.control_node import Controls, eld, intel


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_long) != 8, reason="sizes of a 64 bit machine")
def test_requests_and_places_are_those_of_the_header() -> None:
    requests = (alsa_control.LIST, alsa_control.INFO, alsa_control.READ, alsa_control.SUBSCRIBE)
    assert requests == (0xC0505510, 0xC1105511, 0xC4C85512, 0xC0045516)
    assert (alsa_control.ElementValue.integers.offset, alsa_control.ElementList.pids.offset) == (72, 16)
    assert (ctypes.sizeof(alsa_control.ElementEvent), alsa_control.ElementEvent.id.offset) == (72, 8)
    identity = alsa_control.ElementId
    assert (identity.device.offset, identity.name.offset, identity.index.offset) == (8, 16, 60)
    assert alsa_control.ElementInfo.count.offset == 72


@pytest.mark.parametrize(
    ("jack", "description", "sound"),
    [
        (False, b"", False),
        (False, eld(), False),
        (True, eld(), True),
        (None, eld(), True),
        (None, bytes(128), False),
        (None, b"", False),
        # A monitor without speakers, at a card of either kind.
        (True, eld(formats=0), False),
        (None, eld(formats=0), False),
        (None, eld(version=31), True),
        # Drivers without an ELD, and old ones with one that makes no sense.
        (True, None, True),
        (True, eld(version=0, formats=0), True),
        (None, None, True),
    ],
)
def test_what_jack_and_eld_mean(jack: bool | None, description: bytes | None, sound: bool) -> None:
    assert takes_sound(jack, description) is sound


@given(st.none() | st.booleans(), st.none() | st.binary(max_size=256))
def test_no_description_is_too_odd(jack: bool | None, description: bytes | None) -> None:
    assert takes_sound(jack, description) in (False, True)


def controls(*named: tuple[int, int, str]) -> list[Element]:
    return [Element(number, *each) for number, each in enumerate(named, 1)]


@pytest.mark.parametrize(
    ("elements", "outputs"),
    [
        # Intel SOF names its jacks with a space.
        (
            [(IFACE_CARD, 0, "HDMI/DP, pcm=5 Jack"), (IFACE_PCM, 5, "ELD")],
            {5: ("HDMI/DP, pcm=5 Jack", "ELD")},
        ),
        # Raspberry Pi, RK3588: one HDMI output, one card.
        ([(IFACE_PCM, 0, "ELD"), (IFACE_CARD, 0, "HDMI Jack")], {0: ("HDMI Jack", "ELD")}),
        (
            [(IFACE_PCM, 0, "ELD"), (IFACE_CARD, 0, "vc4-hdmi-0 HDMI Jack")],
            {0: ("vc4-hdmi-0 HDMI Jack", "ELD")},
        ),
        ([(IFACE_PCM, 0, "ELD")], {0: (None, "ELD")}),
        # Which of the two it is nobody knows.
        (
            [(IFACE_PCM, 0, "ELD"), (IFACE_PCM, 1, "ELD"), (IFACE_CARD, 0, "HDMI Jack")],
            {0: (None, "ELD"), 1: (None, "ELD")},
        ),
        ([(IFACE_CARD, 0, "HDMI Jack"), (IFACE_CARD, 0, "Headphone Jack")], {}),
        ([(IFACE_CARD, 0, "HDMI/DP,pcm=3 Phantom Jack"), (2, 0, "ELD"), (2, 0, "HDMI Playback Switch")], {}),
    ],
)
def test_which_controls_belong_to_which_output(
    elements: list[tuple[int, int, str]], outputs: dict[int, tuple[str | None, str]]
) -> None:
    def name(element: Element | None) -> str | None:
        return None if element is None else element.name

    found = outputs_of(controls(*elements))
    assert {pcm: (name(output.jack), name(output.eld)) for pcm, output in found.items()} == outputs
    assert all(output != Output() for output in found.values())


def is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def test_a_display_comes_and_goes() -> None:
    card = intel()
    watch = SinkWatch(card.open)
    descriptor = watch.open()
    assert watch.look(0) == {3: False, 7: True}
    assert not is_readable(descriptor)
    # What concerns no display is read and forgotten.
    card.set("Master Playback Volume", False)
    card.set("Headphone Jack", True)
    assert is_readable(descriptor)
    assert watch.changed() == set()
    assert not is_readable(descriptor)
    card.set("HDMI/DP,pcm=7 Jack", False)
    card.set("ELD", b"", mask=3)
    assert is_readable(descriptor)
    assert watch.changed() == {0}
    assert watch.look(0) == {3: False, 7: False}
    card.set("HDMI/DP,pcm=3 Jack", True)
    card.set("ELD", eld(), mask=3)
    assert watch.changed() == {0}
    assert watch.look(0) == {3: True, 7: False}
    assert watch.changed() == set()
    assert card.open_nodes() == 1
    watch.close()
    watch.close()
    assert card.open_nodes() == 0
    card.close()


def test_outputs_that_appear_later_are_listed() -> None:
    card = intel()
    watch = SinkWatch(card.open)
    watch.open()
    watch.look(0)
    card.add((IFACE_PCM, 8, "ELD", eld()))
    assert watch.changed() == {0}
    assert watch.look(0) == {3: False, 7: True, 8: True}
    assert card.open_nodes() == 1
    watch.close()
    card.close()


def test_a_card_that_is_pulled_and_comes_back() -> None:
    card = intel()
    watch = SinkWatch(lambda number: card.open())
    descriptor = watch.open()
    assert watch.look(0)
    card.pull()
    assert watch.look(0) == {}
    assert card.open_nodes() == 0
    # No busy loop on a dead node.
    assert not is_readable(descriptor)
    card = intel()
    assert watch.look(0) == {3: False, 7: True}
    # Gone without being asked in between.
    card.pull()
    assert is_readable(descriptor)
    watch.changed()
    watch.look(0)
    assert not is_readable(descriptor)
    watch.close()


def test_cards_without_such_outputs_are_not_held_open() -> None:
    card = Controls((2, 0, "PCM Playback Volume", True), (IFACE_CARD, 0, "Headset Jack", True))
    watch = SinkWatch(card.open)
    watch.open()
    assert watch.look(0) == {}
    assert card.open_nodes() == 0
    watch.close()
    assert watch.look(0) == {}
    card.close()


def test_a_machine_without_the_card() -> None:
    watch = SinkWatch()
    watch.open()
    assert watch.look(200) == {}
    watch.close()


def test_an_output_without_a_sink_is_there_and_not_plugged() -> None:
    hardware = ScriptedHardware()
    card = hardware.new_card("Television", tone_hz=None)
    card.plug("1")
    for takes_sound_, description in ((False, "no display that takes sound"), (True, "usb")):
        card.connect_display(takes_sound=takes_sound_)
        (speaker,) = inventory_of(hardware.udev.snapshot()).of(DeviceKind.SPEAKER)
        assert speaker.plugged is takes_sound_
        assert speaker.description.startswith(description)


def test_a_display_is_pulled_through_libudev() -> None:
    wrapper = shutil.which("umockdev-wrapper")
    assert wrapper is not None, "Debian's package umockdev is missing; make test installs it"
    command = [wrapper, sys.executable, "-W", "error", "-m", "tests.unit.devices.umockdev_sinks"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "snapshot": {"pcmC0D0p": None, "pcmC0D3p": "0", "pcmC0D7p": "1"},
        "pulled": {"pcmC0D0p": None, "pcmC0D3p": "0", "pcmC0D7p": "0"},
        "plugged": {"pcmC0D0p": None, "pcmC0D3p": "0", "pcmC0D7p": "1"},
        "quiet": True,
    }
