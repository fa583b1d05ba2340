# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons, lights and the door on gpiozero's mock pins, as gpiozero and its users test."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from callagent.agent.lights import View
from callagent.agent.panel import Panel
from callagent.config import parse_agent_config
from callagent.devices import keys
from callagent.devices.inventory import Change, ChangeKind, DeviceInfo, DeviceKind, Inventory
from callagent.devices.registry import Registry
from callagent.devices.virtual.scripted import ScriptedHardware
from callagent.protocol.enums import CallState, MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from tests.covers import covers

DEADLINE_S = 10.0


class Recorder:
    """Actions that only remember; `answers` says what becomes of each dialled user."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.call_state = CallState.IDLE
        self.refusal: CallAgentError | None = None
        self.answers: dict[str, str] = {}
        self.panel: Panel | None = None

    def _note(self, what: Any) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.done.append(what)

    def become(self, state: CallState) -> None:
        self.call_state = state
        assert self.panel is not None
        self.panel.update(View(call_state=state))

    async def answer_call(self) -> None:
        self._note("answer")

    async def hang_up(self) -> None:
        self._note("hang up")
        self.become(CallState.IDLE)

    async def dial(self, users: list[str], media_type: MediaType | None, timeout_s: int | None) -> None:
        self._note(("dial", users, media_type, timeout_s))
        what = self.answers.get(users[0], "rings")
        if what == "unknown":
            raise CallAgentError(ErrorCode.USER_NEVER_LOGGED_IN, "There is no such user")
        self.become(CallState.CALLING)
        after = {"rejects": CallState.IDLE, "answers": CallState.CONNECTED}.get(what)
        if after is not None:
            asyncio.get_running_loop().call_soon(self.become, after)

    async def toggle_microphone(self) -> None:
        self._note("mute")

    async def toggle_camera(self) -> None:
        self._note("camera")

    async def other_camera(self) -> None:
        self._note("other camera")

    async def toggle_privacy(self) -> None:
        self._note("privacy")

    async def press_door(self) -> None:
        self._note("door")

    async def step_volume(self, step: int) -> None:
        self._note(("volume", step))


class Rig:
    """A panel on mock pins. All buttons are wired to ground with a pull-up, as buttons are."""

    def __init__(self, **sections: Any) -> None:
        base = {"identity": {"user": "kiosk", "usersig": "x"}}
        self.config = parse_agent_config(base | sections)
        self.factory = MockFactory()
        self.actions = Recorder()
        self.switched: list[tuple[str, bool]] = []
        self.registry = Registry(ScriptedHardware().udev)
        self.panel = Panel(
            self.config,
            self.actions,
            self.registry,
            on_switch=lambda name, on: self.switched.append((name, on)),
            factory=self.factory,
        )
        self.actions.panel = self.panel
        self.panel.start()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.002)

    def lit(self, line: str) -> bool:
        return bool(self.factory.pin(line).state)

    def pull_and_plug_chip(self, meanwhile: Callable[[], None]) -> None:
        chip = DeviceInfo(DeviceKind.GPIO_CHIP, "chip", "chip", "/dev/gpiochip0")
        # What the registry tells the panel of; the mock's lines do not go with their chip.
        for contact in self.panel._contacts:
            contact.release()
        meanwhile()
        self.panel._devices_changed((Change(ChangeKind.ADDED, chip),))

    async def press(self, line: str, lasting: float = 0.03) -> None:
        pin = self.factory.pin(line)
        pin.drive_low()
        await asyncio.sleep(lasting)
        pin.drive_high()


def button(line: str, **more: Any) -> dict[str, Any]:
    gpio = {"line": line, "active_low": True, "bias": "pull_up"}
    return {"name": line.lower(), "gpio": gpio, "debounce_ms": 5, "hold_s": 0.3} | more


@pytest.fixture
async def rigs() -> AsyncIterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**sections: Any) -> Rig:
        made.append(Rig(**sections))
        return made[-1]

    yield make
    for rig in made:
        await rig.panel.close()
        await rig.panel.close()


async def test_the_one_button_of_an_intercom(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO17", dial={"users": ["anna", "ben"], "media_type": "video"})])
    assert rig.panel.hints == {"gpio17": "call anna, ben"}
    await rig.press("GPIO17")
    await rig.until(lambda: rig.actions.done == [("dial", ["anna", "ben"], MediaType.VIDEO, None)])
    rig.actions.become(CallState.RINGING)
    assert rig.panel.hints == {"gpio17": "answer"}
    await rig.press("GPIO17")
    await rig.until(lambda: rig.actions.done[1:] == ["answer"])
    rig.actions.become(CallState.CONNECTED)
    assert rig.panel.hints == {"gpio17": "hang up"}
    await rig.press("GPIO17")
    await rig.until(lambda: rig.actions.done[2:] == ["hang up"])
    rig.actions.become(CallState.RINGING)
    await rig.press("GPIO17", 0.5)
    await rig.until(lambda: rig.actions.done[3:] == ["hang up"])


@pytest.mark.parametrize(
    ("action", "done"),
    [
        ("mute", "mute"),
        ("camera", "camera"),
        ("switch_camera", "other camera"),
        ("privacy", "privacy"),
        ("volume_up", ("volume", 10)),
        ("volume_down", ("volume", -10)),
    ],
)
async def test_every_action(rigs: Callable[..., Rig], action: str, done: Any) -> None:
    rig = rigs(buttons=[button("GPIO5", press=action)])
    await rig.press("GPIO5")
    await rig.until(lambda: rig.actions.done == [done])


async def test_double_presses(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO5", press="mute", double="camera")])
    await rig.press("GPIO5")
    await asyncio.sleep(0.03)
    await rig.press("GPIO5")
    await rig.until(lambda: rig.actions.done == ["camera"])
    await asyncio.sleep(0.03)
    await rig.press("GPIO5")
    await rig.until(lambda: rig.actions.done == ["camera", "mute"])


async def test_a_hunt_goes_on_until_somebody_answers(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO5", dial={"hunt": ["a", "b", "c", "d"], "step_timeout_s": 15})])
    rig.actions.answers = {"a": "rejects", "b": "unknown", "c": "answers"}
    await rig.press("GPIO5")
    await rig.until(lambda: rig.actions.call_state is CallState.CONNECTED)
    assert rig.actions.done == [("dial", [user], None, 15) for user in "abc"]
    rig.actions.become(CallState.IDLE)
    rig.actions.done.clear()
    rig.actions.answers = {}
    await rig.press("GPIO5")
    await rig.until(lambda: rig.actions.call_state is CallState.CALLING)
    assert rig.panel.hints == {"gpio5": "hang up"}
    await rig.press("GPIO5")
    await rig.until(lambda: rig.actions.call_state is CallState.IDLE)
    assert rig.actions.done == [("dial", ["a"], None, 15), "hang up"], "nobody else is called after a hang-up"


async def test_a_refusal_flashes_the_error_light(rigs: Callable[..., Rig]) -> None:
    light = {"name": "error", "gpio": {"line": "GPIO27"}, "shows": "error"}
    rig = rigs(buttons=[button("GPIO5", press="door")], lights=[light], door=DOOR)
    rig.actions.refusal = CallAgentError(ErrorCode.REQUEST_REFUSED, "too soon")
    await rig.press("GPIO5")
    await rig.until(lambda: rig.lit("GPIO27"))
    await rig.until(lambda: not rig.lit("GPIO27"))


async def test_a_switch_tells_how_it_stands_from_the_start(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO6", switch="privacy")])
    assert rig.switched == [("gpio6", False)]
    pin = rig.factory.pin("GPIO6")
    pin.drive_low()
    await rig.until(lambda: rig.switched[-1] == ("gpio6", True))
    pin.drive_high()
    await rig.until(lambda: rig.switched[-1] == ("gpio6", False))


async def test_a_switch_that_bounces_is_told_once(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO6", switch="privacy", debounce_ms=30)])
    pin = rig.factory.pin("GPIO6")
    for _ in range(4):
        pin.drive_low()
        pin.drive_high()
    pin.drive_low()
    await rig.until(lambda: rig.switched[-1] == ("gpio6", True))
    assert rig.switched == [("gpio6", False), ("gpio6", True)]


def keep_the_loop_busy(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_press_while_the_loop_was_busy_counts(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO5", press="mute", debounce_ms=20)])
    pin = rig.factory.pin("GPIO5")
    pin.drive_low()
    keep_the_loop_busy(0.1)
    pin.drive_high()
    await rig.until(lambda: rig.actions.done == ["mute"])


async def test_a_short_press_is_none_the_longer_for_a_busy_loop(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO5", hold_s=1.0)])
    rig.actions.become(CallState.RINGING)
    pin = rig.factory.pin("GPIO5")
    pin.drive_low()
    await asyncio.sleep(0.02)
    pin.drive_high()
    # It hears of the release when a long press would have been due.
    keep_the_loop_busy(1.2)
    await rig.until(lambda: bool(rig.actions.done))
    assert rig.actions.done == ["answer"]


async def test_a_button_that_is_pulled_while_held_hangs_nothing_up(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO5", hold_s=1.0, dial={"users": ["anna"]})])
    rig.actions.become(CallState.CONNECTED)
    pin = rig.factory.pin("GPIO5")
    pin.drive_low()
    await asyncio.sleep(0.02)

    def released_unseen() -> None:
        time.sleep(1.1)
        rig.factory.pin("GPIO5").drive_high()

    rig.pull_and_plug_chip(released_unseen)
    await asyncio.sleep(0.02)
    assert rig.actions.done == []
    await rig.press("GPIO5")
    await rig.until(lambda: rig.actions.done == ["hang up"])


async def test_lights_follow_the_state(rigs: Callable[..., Rig]) -> None:
    def light(line: str, shows: str, **more: Any) -> dict[str, Any]:
        return {"name": shows, "gpio": {"line": line}, "shows": shows} | more

    rig = rigs(lights=[light("GPIO11", "ring"), light("GPIO12", "on_air"), light("GPIO13", "missed_call")])
    assert rig.panel.patterns == {"ring": "off", "on_air": "off", "missed_call": "off"}
    rig.panel.update(View(call_state=CallState.RINGING, missed_calls=True))
    for lit in (True, False, True):
        await rig.until(lambda lit=lit: rig.lit("GPIO11") == lit)  # type: ignore[misc]
    assert not rig.lit("GPIO12")
    assert rig.panel.patterns == {"ring": "blink_fast", "on_air": "off", "missed_call": "flash"}
    rig.panel.update(View(call_state=CallState.CONNECTED, on_air=True))
    assert (rig.lit("GPIO11"), rig.lit("GPIO12")) == (False, True)
    await rig.panel.close()
    assert not any(rig.lit(f"GPIO{number}") for number in (11, 12, 13))


async def test_an_active_low_light(rigs: Callable[..., Rig]) -> None:
    rig = rigs(lights=[{"name": "x", "gpio": {"line": "GPIO4", "active_low": True}, "shows": "online"}])
    assert rig.factory.pin("GPIO4").state
    rig.panel.update(View(online=True))
    assert not rig.factory.pin("GPIO4").state


DOOR: dict[str, Any] = {"gpio": {"line": "GPIO22"}, "allow": ["anna"], "pulse_s": 0.2, "min_interval_s": 0.4}


def refused(work: Callable[[], None]) -> ErrorCode:
    with pytest.raises(CallAgentError) as error:
        work()
    return error.value.code


@covers("code:-1101")
async def test_who_may_open_the_door_and_how_often(rigs: Callable[..., Rig]) -> None:
    rig = rigs(door=DOOR)
    door = rig.panel.door
    assert door is not None
    ask = door.open_from_afar
    assert refused(lambda: ask("ben", "command-1", in_call=True)) is ErrorCode.PERMISSION_DENIED
    assert refused(lambda: ask("anna", "command-1", in_call=False)) is ErrorCode.REQUEST_REFUSED
    assert not rig.lit("GPIO22")
    ask("anna", "command-1", in_call=True)
    assert rig.lit("GPIO22")
    assert refused(lambda: ask("anna", "command-1", in_call=True)) is ErrorCode.REQUEST_REPEATED
    assert refused(lambda: ask("anna", "command-2", in_call=True)) is ErrorCode.REQUEST_REFUSED
    assert refused(door.open) is ErrorCode.REQUEST_REFUSED
    await rig.until(lambda: not rig.lit("GPIO22"))
    await asyncio.sleep(0.3)
    assert refused(lambda: ask("anna", "command-1", in_call=True)) is ErrorCode.REQUEST_REPEATED
    door.open()
    assert rig.lit("GPIO22")


async def test_the_door_is_never_open_for_longer_than_a_pulse(rigs: Callable[..., Rig]) -> None:
    rig = rigs(door=DOOR | {"pulse_s": 0.3, "min_interval_s": 0})
    door = rig.panel.door
    assert door is not None
    door.open()
    began = time.monotonic()
    asked = 0
    while rig.lit("GPIO22"):
        assert refused(door.open) is ErrorCode.REQUEST_REFUSED
        asked += 1
        assert time.monotonic() - began < DEADLINE_S, "asking kept it open"
        await asyncio.sleep(0.02)
    assert asked > 0
    door.open()
    assert rig.lit("GPIO22")


async def test_a_caller_cannot_have_the_commands_of_another_forgotten(rigs: Callable[..., Rig]) -> None:
    rig = rigs(door=DOOR | {"allow": ["anna", "ben"], "min_interval_s": 0})
    door = rig.panel.door
    assert door is not None
    door.open_from_afar("anna", "command-1", in_call=True)
    for number in range(300):
        refused(lambda number=number: door.open_from_afar("ben", f"{number}", in_call=True))  # type: ignore[misc]
    await rig.until(lambda: not rig.lit("GPIO22"))
    again = refused(lambda: door.open_from_afar("anna", "command-1", in_call=True))
    assert again is ErrorCode.REQUEST_REPEATED
    assert refused(lambda: door.open_from_afar("ben", "299", in_call=True)) is ErrorCode.REQUEST_REPEATED


async def test_the_door_shuts_when_the_agent_ends(rigs: Callable[..., Rig]) -> None:
    rig = rigs(door=DOOR | {"pulse_s": 10})
    assert rig.panel.door is not None
    rig.panel.door.open()
    assert rig.lit("GPIO22")
    await rig.panel.close()
    assert not rig.lit("GPIO22")


async def test_what_is_not_there_is_told_and_taken_later(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[{"name": "hook", "key": "KEY_PHONE"}, {"name": "odd", "key": "KEY_OF_NOTHING"}])
    assert rig.panel.problems == [
        "button hook: no input device with KEY_PHONE is plugged in",
        "button odd: the kernel knows no key KEY_OF_NOTHING",
    ]
    assert rig.panel.hints == {}


async def test_a_line_that_does_not_exist(rigs: Callable[..., Rig]) -> None:
    rig = rigs(buttons=[button("GPIO99")])
    (problem,) = rig.panel.problems
    assert "gpio99" in problem


async def test_a_key_that_may_not_be_opened_hides_no_other(
    rigs: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def watch(self: keys.InputDevices, path: str, *_: Any, **__: Any) -> Any:
        if path == "/dev/input/event0":
            raise PermissionError(13, "Permission denied", path)
        taken.append(path)
        return io.BytesIO()  # Something to close.

    monkeypatch.setattr(keys.InputDevices, "watch", watch)
    rig = rigs(buttons=[{"name": "hook", "key": "KEY_PHONE"}])

    def plug(number: int) -> None:
        path = f"/dev/input/event{number}"
        device = DeviceInfo(DeviceKind.KEYS, path, f"keys {number}", path)
        rig.registry.present = Inventory((*rig.registry.present, device))
        rig.panel._devices_changed((Change(ChangeKind.ADDED, device),))

    plug(0)
    (problem,) = rig.panel.problems
    assert problem.startswith("button hook: /dev/input/event0 may not be opened: ")
    plug(1)
    assert taken == ["/dev/input/event1"]
    assert rig.panel.problems == []
    assert rig.panel.hints == {"hook": ""}


async def test_a_key_is_heard_on_every_device_that_has_it(
    rigs: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A USB button comes after a keyboard with the same key, and goes again while it is pressed."""
    heard: dict[str, tuple[Callable[[bool, float], None], Callable[[], None]]] = {}

    def watch(self: keys.InputDevices, path: str, _: str, changed: Any, lost: Any, **__: Any) -> Any:
        heard[path] = (changed, lost)
        changed(False, time.monotonic())
        return io.BytesIO()  # Something to close.

    monkeypatch.setattr(keys.InputDevices, "watch", watch)
    rig = rigs(buttons=[{"name": "bell", "key": "KEY_F13", "press": "mute", "hold_s": 0.3}])
    for path in ("/dev/input/event0", "/dev/input/event1"):
        device = DeviceInfo(DeviceKind.KEYS, path, path, path)
        rig.registry.present = Inventory((*rig.registry.present, device))
        rig.panel._devices_changed((Change(ChangeKind.ADDED, device),))
    keyboard, button = heard.values()

    async def press(changed: Callable[[bool, float], None]) -> None:
        for down in (True, False):
            changed(down, time.monotonic())
            await asyncio.sleep(0.04)  # shorter is a bounce

    await press(keyboard[0])
    await press(button[0])
    await rig.until(lambda: rig.actions.done == ["mute", "mute"])
    button[0](True, time.monotonic())
    button[1]()
    assert rig.panel.problems == []
    await press(keyboard[0])
    await rig.until(lambda: len(rig.actions.done) == 3)
    assert rig.actions.done[2] == "mute", "the press that ended unseen was a long one"
    keyboard[1]()
    assert rig.panel.problems == ["button bell: its input device is gone"]
