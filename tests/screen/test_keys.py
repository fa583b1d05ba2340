# SPDX-License-Identifier: GPL-3.0-or-later
"""The page by keys: from control to control, press, and the way out."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from callagent.screen.agent_link import Command
from callagent.screen.settings import Contact
from tests.screen.scenes import SCENES, SIZES, site
from tests.screen.stage import Stage

Key = Qt.Key


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    opened: list[Stage] = []
    yield opened
    for stage in opened:
        stage.close()


def play(stages: list[Stage], scene: str, language: str = "en") -> Stage:
    shown = SCENES[scene]
    stage = Stage(site(language, **shown.site), *SIZES["landscape"])
    stages.append(stage)
    stage.hear(*shown.told)
    stage.window.requestActivate()
    assert QTest.qWaitForWindowActive(stage.window)
    return stage


def press(stage: Stage, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(stage.window, key)
    stage.settle()


def focused(stage: Stage) -> str:
    """The control that has the focus; empty where none has."""
    item = stage.window.activeFocusItem()
    control = item.parentItem() if item is not None else None
    return control.objectName() if control is not None and control.property("control") else ""


def walk(stage: Stage, key: Qt.Key) -> list[str]:
    """The controls it goes through until the first comes again."""
    found: list[str] = []
    for _ in range(30):
        press(stage, key)
        if found and focused(stage) == found[0]:
            return found
        found.append(focused(stage))
    raise AssertionError(found)


@pytest.mark.parametrize("scene", ["idle", "incoming", "incoming_banner", "connected", "connected_group"])
def test_every_control_is_reached_in_turn(stages: list[Stage], scene: str) -> None:
    stage = play(stages, scene)
    assert focused(stage) == "", "nothing is framed before somebody uses keys"
    reached = walk(stage, Key.Key_Tab)
    assert set(reached) == {each.objectName() for each in stage.controls()}
    assert len(reached) == len(set(reached))


def test_pages_of_contacts_are_turned(stages: list[Stage]) -> None:
    many = tuple(Contact(f"Room {number}", (f"room{number}",)) for number in range(12))
    stage = Stage(site("en", contacts=many), *SIZES["landscape"])
    stages.append(stage)
    stage.hear(*SCENES["idle"].told)
    before = {each.text for each in stage.texts() if each.name == "contact"}
    while focused(stage) != "more":
        press(stage, Key.Key_Tab)
    press(stage, Key.Key_Return)
    assert {each.text for each in stage.texts() if each.name == "contact"}.isdisjoint(before)


def test_arrows_go_the_way_they_point(stages: list[Stage]) -> None:
    stage = play(stages, "connected")
    there = walk(stage, Key.Key_Right)
    press(stage, Key.Key_Left)
    assert focused(stage) == there[-1]
    mirrored = play(stages, "connected", "ar")
    assert walk(mirrored, Key.Key_Left) == there


@pytest.mark.parametrize("key", [Key.Key_Return, Key.Key_Enter, Key.Key_Space])
def test_a_control_is_pressed(stages: list[Stage], key: Qt.Key) -> None:
    stage = play(stages, "incoming")
    while focused(stage) != "control_answer":
        press(stage, Key.Key_Tab)
    press(stage, key)
    assert stage.sent == [Command("answer")]


def test_the_focus_is_seen_and_survives_the_page(stages: list[Stage]) -> None:
    stage = play(stages, "incoming")
    plain = stage.picture()
    press(stage, Key.Key_Tab)
    assert stage.picture() != plain
    stage.hear(*SCENES["connected"].told)
    assert focused(stage) == "", "what had it is gone"
    press(stage, Key.Key_Tab)
    assert focused(stage) != ""


@pytest.mark.parametrize(
    ("scene", "sent"),
    [("incoming", "reject"), ("connected", "hang_up"), ("dialing", "hang_up"), ("idle", None)],
)
def test_escape_ends_what_goes_on(stages: list[Stage], scene: str, sent: str | None) -> None:
    stage = play(stages, scene)
    press(stage, Key.Key_Escape)
    assert [each.name for each in stage.sent] == ([sent] if sent else [])
