# SPDX-License-Identifier: GPL-3.0-or-later
"""Every state of the page, in each orientation and language, as Qt draws it."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage

from callagent.protocol import control as api
from callagent.screen.agent_link import Heard
from callagent.screen.texts import languages, load_texts, placeholders
from callagent.screen.theme import THEMES
from tests.screen.scenes import NAMES, SCENES, SIZES, site
from tests.screen.stage import Stage
from tests.unit.screen.agents import status, told

TOUCH_UNITS = 10.4
"""9 mm on the smallest panel this is made for: 7 inches at 800x480, 86.4 mm high."""
LEAST_UNITS = 2.7
"""Of a label at arm's length."""
SLACK = 1.5
EDGES = 40
"""Of 255: so much the edge of a letter may differ that has been of another size before."""

CASES = [
    pytest.param(scene, language, standing, id=f"{scene}-{standing}-{language}")
    for scene in SCENES
    for language in languages()
    for standing in SIZES
]


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    opened: list[Stage] = []
    yield opened
    for stage in opened:
        stage.close()


def play(stages: list[Stage], scene: str, language: str, standing: str, **more: object) -> Stage:
    shown = SCENES[scene]
    stage = Stage(site(language, **(shown.site | more)), *SIZES[standing])
    stages.append(stage)
    stage.hear(*shown.told)
    return stage


@pytest.mark.parametrize(("scene", "language", "standing"), CASES)
def test_page(stages: list[Stage], scene: str, language: str, standing: str, tmp_path: Path) -> None:
    stage = play(stages, scene, language, standing)
    picture = stage.picture()
    texts = stage.texts()
    whole = QRectF(0, 0, stage.width, stage.height)

    assert stage.complaints == []
    assert (picture.width(), picture.height()) == SIZES[standing]
    assert _colours(picture) > 3
    assert [each for each in texts if each.missing_glyphs()] == []
    assert [each for each in texts if each.overflows] == []
    assert [each for each in texts if not whole.adjusted(-1, -1, 1, 1).contains(each.ink)] == []
    assert [each for each in texts if each.pixels < LEAST_UNITS * stage.unit] == []
    assert [
        (first, second) for first, second in combinations(texts, 2) if _collide(first.ink, second.ink)
    ] == []
    for control in stage.controls():
        rect = control.mapRectToScene(QRectF(0, 0, control.width(), control.height()))
        assert whole.adjusted(-1, -1, 1, 1).contains(rect), control.objectName()
        assert min(rect.width(), rect.height()) >= TOUCH_UNITS * stage.unit, control.objectName()
    for first, second in combinations(stage.controls(), 2):
        assert not _collide(_rect(first), _rect(second)), (first.objectName(), second.objectName())
    wanted = _as_shown(load_texts(language).words[SCENES[scene].key])
    assert any(wanted in each.text for each in texts), texts


@pytest.mark.parametrize("standing", SIZES)
@pytest.mark.parametrize("scene", SCENES)
def test_a_page_is_the_same_whatever_was_there_before(stages: list[Stage], scene: str, standing: str) -> None:
    """The display turned or another plugged in, another state: nothing stays where it had been."""
    wanted = play(stages, scene, "en", standing).picture()
    other = next(size for name, size in SIZES.items() if name != standing)
    stage = Stage(site("en", **SCENES[scene].site), *other)
    stages.append(stage)
    for before in ("idle", "dialing_many", "connected", scene):
        stage.hear(*SCENES[before].told)
    stage.window.resize(*SIZES[standing])
    stage.settle()
    assert _most_different(stage.picture(), wanted) <= EDGES


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("standing", SIZES)
def test_structure(stages: list[Stage], language: str, standing: str) -> None:
    """What stands where it must, by name; pictures alone would only say that something changed."""
    words, names = load_texts(language), NAMES[language]

    def page(scene: str) -> dict[str, str]:
        stage = play(stages, scene, language, standing)
        return {each.name: each.text for each in stage.texts() if each.name and each.name != "label"}

    idle = page("idle")
    assert idle["place"] == site(language).place
    assert idle["hint"] == words.say("hint_call", name=names[0])
    assert set(idle) == {"place", "clock", "date", "prompt_contacts", "contact", "hint"}
    incoming = page("incoming")
    assert incoming == {
        "title": names[2],
        "subtitle": words.say("incoming_video"),
        "hint": words.say("hint_answer"),
    }
    connected = page("connected")
    assert connected.keys() == {"name", "timer"}
    ended = page("ended")
    assert (ended["title"], ended["subtitle"]) == (names[2], words.say("ended"))


def test_arabic_is_the_mirror_image(stages: list[Stage]) -> None:
    """The same page, what began at the left begins at the right."""
    left = play(stages, "idle", "en", "landscape")
    right = play(stages, "idle", "ar", "landscape")
    for name in ("contact_0", "place", "control_privacy"):
        first, second = _rect(left.named(name)), _rect(right.named(name))
        assert (first.center().x() < left.width / 2) is (second.center().x() > right.width / 2), name
    small = [play(stages, "connected", each, "landscape").named("tile_local/camera") for each in ("en", "ar")]
    assert small[0].x() == pytest.approx(800 - small[1].x() - small[1].width())


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("standing", SIZES)
def test_touches_reach_what_they_point_at_however_the_page_is_turned(
    stages: list[Stage], turn: int, standing: str
) -> None:
    stage = play(stages, "incoming", "en", standing, turn=turn)
    for name in ("answer", "reject"):
        stage.tap(stage.named(f"control_{name}"))
    assert [command.name for command in stage.sent] == ["answer", "reject"]
    stage.sent.clear()
    stage = play(stages, "idle", "ar", standing, turn=turn)
    stage.tap(stage.named("contact_2"))
    assert [(command.name, command.users) for command in stage.sent] == [("call", ("watson",))]


@pytest.mark.parametrize("scene", ["idle", "idle_no_clock", "incoming", "connected"])
@pytest.mark.parametrize("turn", [90, 270])
def test_a_turned_page_is_the_same_picture_turned(stages: list[Stage], turn: int, scene: str) -> None:
    upright = play(stages, scene, "en", "portrait")
    turned = play(stages, scene, "en", "landscape", turn=turn)
    width, height = SIZES["portrait"]
    assert [each.text for each in upright.texts()] == [each.text for each in turned.texts()]
    for first, second in zip(upright.texts(), turned.texts(), strict=True):
        box = second.box
        across, down = (
            (box.top(), SIZES["landscape"][0] - box.right())
            if turn == 90
            else (width - box.bottom(), box.left())
        )
        where = (first.box.left(), first.box.top(), first.box.width(), first.box.height())
        assert where == pytest.approx((across, down, box.height(), box.width()), abs=SLACK), first
    assert height == SIZES["landscape"][0]


@pytest.mark.parametrize("scene", ["idle", "idle_no_clock"])
def test_a_page_that_is_turned_while_it_stands_is_the_same(stages: list[Stage], scene: str) -> None:
    """How the screen stands is told together with the first state."""
    wanted = play(stages, scene, "en", "landscape", turn=90).picture()
    stage = Stage(site("en", **SCENES[scene].site), *SIZES["landscape"])
    stages.append(stage)
    standing = api.OrientationStatus(screen="portrait", reason="display", camera_rotation=0)
    stage.hear(
        Heard(told(status(orientation=standing, panel=api.PanelStatus(buttons={"call": "call reception"}))))
    )
    assert _most_different(stage.picture(), wanted) <= EDGES


def test_controls_ask_for_the_right_thing(stages: list[Stage]) -> None:
    stage = play(stages, "connected_everything", "en", "landscape")
    for name in ("microphone", "camera", "volume_up", "switch_camera", "voice", "hang_up"):
        stage.tap(stage.named(f"control_{name}"))
    assert [(command.name, command.on) for command in stage.sent] == [
        ("microphone", False),
        ("camera", False),
        ("volume_up", False),
        ("switch_camera", False),
        ("voice", False),
        ("hang_up", False),
    ]
    stage.sent.clear()
    stage.tap(stage.named("control_invite"))
    stage.tap(stage.named("contact_1"))
    assert [(command.name, command.users) for command in stage.sent] == [("invite", ("nurses",))]
    private = play(stages, "idle_privacy", "en", "portrait")
    private.tap(private.named("control_privacy"))
    assert [(command.name, command.on) for command in private.sent] == [("privacy", False)]


def test_two_pictures_are_swapped_and_a_group_is_paged(stages: list[Stage]) -> None:
    stage = play(stages, "connected", "en", "landscape")
    assert stage.named("tile_remote/watson/camera").width() == 800
    stage.tap(stage.named("control_swap"))
    assert stage.named("tile_local/camera").width() == 800
    group = play(stages, "connected_pages", "en", "landscape")
    before = [item.objectName() for item in group.items() if item.objectName().startswith("tile_")]
    group.tap(group.named("page_after"))
    after = [item.objectName() for item in group.items() if item.objectName().startswith("tile_")]
    assert len(before) == 9
    assert after == ["tile_local/camera"]
    first = play(stages, "connected_group", "en", "portrait")
    kinds = [first.kiosk._call.kind]
    for _ in range(3):
        first.tap(first.named("control_layout"))
        kinds.append(first.kiosk._call.kind)
    assert kinds == ["grid", "focus", "vertical", "grid"]


@pytest.mark.parametrize("turn", [0, 90])
def test_the_small_picture_is_dragged(stages: list[Stage], turn: int) -> None:
    stage = play(stages, "connected", "en", "landscape", turn=turn)
    small = stage.named("tile_local/camera")
    before = (small.x(), small.y())
    stage.drag(small, (-60, 40))
    assert (small.x(), small.y()) == pytest.approx((before[0] - 60, before[1] + 40), abs=SLACK)
    # The next call begins as every call does.
    stage.hear(*SCENES["idle"].told)
    stage.hear(*SCENES["connected"].told)
    again = stage.named("tile_local/camera")
    assert (again.x(), again.y()) == pytest.approx(before)


def test_a_picture_stays_the_same_item_while_the_call_goes_on(stages: list[Stage]) -> None:
    """Else every status would tear the video down and build it anew."""
    stage = play(stages, "connected_group", "en", "landscape")
    before = [item for item in stage.items() if item.objectName() == "video"]
    stage.hear(*SCENES["connected_group"].told)
    after = [item for item in stage.items() if item.objectName() == "video"]
    assert before
    assert before == after


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("standing", SIZES)
def test_both_themes(stages: list[Stage], theme: str, standing: str) -> None:
    picture = play(stages, "idle", "en", standing, theme=theme).picture()
    middle = picture.pixelColor(2, picture.height() - 2)
    assert (middle.lightness() > 128) is (theme == "light")


def test_a_background_picture_leaves_words_readable(stages: list[Stage], tmp_path: Path) -> None:
    loud = QImage(64, 64, QImage.Format.Format_RGB32)
    loud.fill(QColor("#FFFFFF"))
    path = tmp_path / "loud one.png"
    assert loud.save(str(path))
    stage = play(stages, "idle", "en", "landscape", background=str(path))
    corner = stage.picture().pixelColor(400, 2)
    assert stage.complaints == []
    assert corner.lightness() < 110


def test_long_names_get_smaller_then_end_in_an_ellipsis(stages: list[Stage]) -> None:
    from callagent.screen.settings import Contact

    name = "Emergency Department Triage and Admissions Desk, Building C, Second Floor, East Wing"
    contacts = (Contact(name, ("watson",)), Contact("x" * 80, ("reception",)))
    for scene in ("idle", "incoming", "connected", "incoming_banner"):
        for standing in SIZES:
            stage = play(stages, scene, "en", standing, contacts=contacts, place=name)
            whole = QRectF(-1, -1, stage.width + 2, stage.height + 2)
            assert [each for each in stage.texts() if not whole.contains(each.ink)] == [], scene
            assert stage.complaints == []


def test_markup_in_names_stays_text(stages: list[Stage]) -> None:
    from callagent.screen.settings import Contact

    evil = '<img src="file:///etc/passwd"><b>x</b>'
    stage = play(stages, "incoming", "en", "landscape", contacts=(Contact(evil, ("watson",)),))
    title = next(each for each in stage.texts() if each.name == "title")
    assert title.text == evil
    assert title.item.property("contentWidth") > 40 * stage.unit


def _as_shown(text: str) -> str:
    """The part of a text before what is put into it."""
    return (
        text.split("{", 1)[0].strip()
        if placeholders(text) and not text.startswith("{")
        else (text.split("}", 1)[1].strip() if placeholders(text) else text)
    )


def _rect(item: object) -> QRectF:
    rect: QRectF = item.mapRectToScene(QRectF(0, 0, item.width(), item.height()))  # type: ignore[attr-defined]
    return rect


def _collide(first: QRectF, second: QRectF) -> bool:
    common = first.intersected(second)
    return common.width() > SLACK and common.height() > SLACK


def _most_different(one: QImage, other: QImage) -> int:
    first, second = _values(one), _values(other)
    return int(np.abs(first - second).max())


def _values(picture: QImage) -> npt.NDArray[np.int16]:
    rgb = picture.convertToFormat(QImage.Format.Format_RGB888)
    # A copy: the memory is the image's, which ends here.
    return np.frombuffer(rgb.constBits(), np.uint8).astype(np.int16)


def _colours(picture: QImage) -> int:
    points = ((x, y) for x in range(0, picture.width(), 16) for y in range(0, picture.height(), 16))
    return len({picture.pixel(*point) for point in points})
