# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry: a snapshot, then events, and what happens when some are lost."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callagent.devices.inventory import Change, ChangeKind, DeviceKind
from callagent.devices.records import inventory_of
from callagent.devices.registry import Registry
from callagent.devices.udev_source import UdevEvent, UdevRecord
from callagent.devices.virtual.scripted import ScriptedHardware
from callagent.devices.virtual.scripted_udev import ScriptedUdev

DEADLINE_S = 10.0


class Watched:
    """A registry and everything it told."""

    def __init__(self, udev: ScriptedUdev, look_s: float = 60.0) -> None:
        self.registry = Registry(udev, look_s)
        self.told: list[Change] = []
        self._more = asyncio.Event()
        self.registry.subscribe(self._note)

    def _note(self, changes: tuple[Change, ...]) -> None:
        self.told += changes
        self._more.set()

    @property
    def ports(self) -> list[str]:
        return [device.port[-5:-4] for device in self.registry.present.of(DeviceKind.CAMERA)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.002)


@pytest.fixture
def hardware() -> ScriptedHardware:
    return ScriptedHardware()


@pytest.fixture
async def watched(hardware: ScriptedHardware) -> AsyncIterator[Watched]:
    made = Watched(hardware.udev)
    yield made
    await made.registry.close()


async def test_what_was_there_before_and_what_comes_and_goes(
    hardware: ScriptedHardware, watched: Watched
) -> None:
    camera, card = hardware.new_camera(serial="A1"), hardware.new_card(serial="H1")
    camera.plug("1")
    await watched.registry.start()
    assert watched.ports == ["1"]
    card.plug("2")
    await watched.until(lambda: len(watched.registry.present.devices) == 3)
    camera.unplug()
    camera.plug("3")
    await watched.until(lambda: watched.ports == ["3"])
    assert [(change.kind, change.device.kind) for change in watched.told] == [
        (ChangeKind.ADDED, DeviceKind.CAMERA),
        (ChangeKind.ADDED, DeviceKind.MICROPHONE),
        (ChangeKind.ADDED, DeviceKind.SPEAKER),
        (ChangeKind.REMOVED, DeviceKind.CAMERA),
        (ChangeKind.ADDED, DeviceKind.CAMERA),
    ]
    assert watched.registry.counters.corrections == 0


async def test_lost_events_are_made_good(hardware: ScriptedHardware, watched: Watched) -> None:
    camera = hardware.new_camera()
    camera.plug("1")
    await watched.registry.start()
    hardware.udev.deaf = True
    camera.unplug()
    hardware.new_camera().plug("2")
    hardware.udev.deaf = False
    hardware.udev.overflow()
    await watched.until(lambda: watched.ports == ["2"])
    assert watched.registry.counters.overflows == 1
    # The new socket hears.
    hardware.new_camera().plug("3")
    await watched.until(lambda: watched.ports == ["2", "3"])


async def test_a_look_finds_what_no_event_told(hardware: ScriptedHardware) -> None:
    watched = Watched(hardware.udev, look_s=0.005)
    await watched.registry.start()
    try:
        hardware.udev.deaf = True
        hardware.new_camera().plug("1")
        await watched.until(lambda: watched.ports == ["1"])
        counters = watched.registry.counters
        assert (counters.corrections, counters.rescans) == (1, 1)
        # Everything is read now and then even if nothing seems to be missing.
        await watched.until(lambda: counters.rescans > 2)
        assert counters.corrections == 1
    finally:
        await watched.registry.close()


async def test_a_burst_is_one_change(hardware: ScriptedHardware, watched: Watched) -> None:
    calls: list[int] = []
    await watched.registry.start()
    watched.registry.subscribe(lambda changes: calls.append(len(changes)))
    for port in "12345":
        hardware.new_camera().plug(port)
    await watched.until(lambda: len(watched.ports) == 5)
    assert calls == [5]


async def test_one_broken_listener_does_not_keep_the_others_from_hearing(
    hardware: ScriptedHardware, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(changes: tuple[Change, ...]) -> None:
        raise RuntimeError("broken")

    leave = watched.registry.subscribe(broken)
    later: list[Change] = []
    watched.registry.subscribe(later.extend)
    await watched.registry.start()
    hardware.new_camera().plug("1")
    await watched.until(lambda: bool(later))
    assert "a listener of the device registry failed" in caplog.text
    caplog.clear()
    leave()
    hardware.new_camera().plug("2")
    await watched.until(lambda: len(later) == 2)
    assert "failed" not in caplog.text


async def test_equal_serials_are_warned_of_once(
    hardware: ScriptedHardware, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    for port in "12":
        hardware.new_camera(serial="A1").plug(port)
    await watched.registry.start()
    hardware.new_camera(serial="B").plug("3")
    await watched.until(lambda: len(watched.ports) == 3)
    assert caplog.text.count("have the serial number A1") == 1


class NoUdev(ScriptedUdev):
    """As in a container, until `there`."""

    there = False

    def open(self) -> int:
        if not self.there:
            raise OSError(errno.ENOENT, "no udev")
        return super().open()


async def test_without_udev_it_is_empty_says_why_and_tries_again() -> None:
    udev = NoUdev()
    hardware = ScriptedHardware()
    hardware.udev = udev
    hardware.new_camera().plug("1")
    watched = Watched(udev, look_s=0.05)
    await watched.registry.start()
    try:
        assert watched.ports == []
        assert "no udev" in watched.registry.problem
        udev.there = True
        await watched.until(lambda: watched.ports == ["1"])
        assert watched.registry.problem == ""
    finally:
        await watched.registry.close()


class SlowSnapshot(ScriptedUdev):
    """Its snapshot is taken at one moment and handed over at another."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()
        self.hand_over = threading.Event()

    def snapshot(self) -> Sequence[UdevRecord]:
        records = super().snapshot()
        self.taken.set()
        self.hand_over.wait(DEADLINE_S)
        return records


async def test_what_happens_during_the_snapshot_is_applied_to_it() -> None:
    hardware, udev = ScriptedHardware(), SlowSnapshot()
    hardware.udev = udev
    first, second = hardware.new_camera(), hardware.new_camera()
    first.plug("1")
    watched = Watched(udev)
    starting = asyncio.create_task(watched.registry.start())
    try:
        await asyncio.to_thread(udev.taken.wait, DEADLINE_S)
        first.unplug()
        second.plug("2")
        # Let the loop read both events before the snapshot is there.
        await watched.until(lambda: watched.registry.counters.events == 4)
        udev.hand_over.set()
        await starting
        assert watched.ports == ["2"]
    finally:
        udev.hand_over.set()
        await watched.registry.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("plug"), st.integers(0, 3), st.integers(1, 9)),
            st.tuples(st.just("unplug"), st.integers(0, 3), st.just(0)),
            st.tuples(st.sampled_from(["overflow", "deaf", "hear", "wait"]), st.just(0), st.just(0)),
        ),
        max_size=25,
    )
)
def test_after_quiescence_it_holds_what_is_there(steps: list[tuple[str, int, int]]) -> None:
    async def run() -> None:
        hardware = ScriptedHardware()
        cameras = [hardware.new_camera(serial=f"C{number}") for number in (1, 2)]
        devices = [*cameras, hardware.new_card(), hardware.new_card()]
        watched = Watched(hardware.udev)
        kept = {(d.kind, d.id, d.instance) for d in watched.registry.present}
        await watched.registry.start()
        try:
            for step, which, port in steps:
                device = devices[which]
                match step:
                    case "plug" if not device.plugged:
                        device.plug(str(port))
                    case "unplug" if device.plugged:
                        device.unplug()
                    case "overflow":
                        hardware.udev.overflow()
                    case "deaf" | "hear":
                        hardware.udev.deaf = step == "deaf"
                    case "wait":
                        await asyncio.sleep(0)
            hardware.udev.deaf = False
            hardware.udev.overflow()
            expected = inventory_of(hardware.udev.snapshot())
            await watched.until(lambda: watched.registry.present == expected)
            # What was told adds up to what is there.
            for change in watched.told:
                key = (change.device.kind, change.device.id, change.device.instance)
                match change.kind:
                    case ChangeKind.ADDED:
                        assert key not in kept
                        kept.add(key)
                    case ChangeKind.REMOVED:
                        kept.remove(key)
            assert kept == {(d.kind, d.id, d.instance) for d in expected}
        finally:
            await watched.registry.close()

    asyncio.run(run())


async def test_a_moved_device_leaves_its_old_place(hardware: ScriptedHardware, watched: Watched) -> None:
    camera = hardware.new_camera()
    camera.plug("1")
    await watched.registry.start()
    (old, _) = hardware.udev.snapshot()
    moved = UdevRecord(
        old.sysfs.replace("video0", "video9"),
        old.subsystem,
        "/dev/video9",
        dict(old.properties) | {"DEVPATH_OLD": old.sysfs},
        old.attributes,
    )
    watched.registry._apply(UdevEvent("move", moved))
    watched.registry._update()
    assert [device.path for device in watched.registry.present] == ["/dev/video9"]
