# SPDX-License-Identifier: GPL-3.0-or-later
"""Languages and colours."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

import callagent.screen
from callagent.config.screen import ScreenConfig
from callagent.screen.texts import FIRST, NoSuchLanguage, languages, load_texts, placeholders
from callagent.screen.theme import (
    AVATARS,
    DARK,
    LIGHT,
    PAIRS,
    THEMES,
    VEILED,
    avatar_colour,
    blended,
    contrast,
    initials,
)
from callagent.screen.words import span

FOLDER = Path(callagent.screen.__file__).parent


@pytest.mark.parametrize("language", languages())
def test_every_language_has_every_text(language: str) -> None:
    first, other = load_texts(FIRST), load_texts(language)
    assert set(other.words) == set(first.words)
    for key, text in first.words.items():
        assert placeholders(other.words[key]) == placeholders(text), key
        assert other.words[key].strip(), key
    assert other.fonts
    assert other.name


def test_the_languages_of_the_issue_are_there() -> None:
    assert {"en", "zh-Hans", "zh-Hant", "ja", "ar"} <= set(languages())
    assert [name for name in languages() if load_texts(name).right_to_left] == ["ar"]
    # The configuration knows them from the same files.
    assert [ScreenConfig(language=name).language for name in languages()] == list(languages())


def test_a_language_there_is_no_file_for() -> None:
    with pytest.raises(NoSuchLanguage, match="zh-Hans"):
        load_texts("../en")


def test_every_text_is_used_and_every_used_one_exists() -> None:
    """A key nobody says is a translation for nothing; one that is missing fails before visitors."""
    said = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.add(node.value)
    words = set(load_texts(FIRST).words)
    made = {key for key in words if re.match(r"control_|outcome_", key)}
    assert words - made - said == set()


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_words_stand_out(theme: dict[str, str]) -> None:
    for ink, paper in PAIRS:
        assert contrast(theme[ink], theme[paper]) >= 4.5, (ink, paper)
    for ink, veil in VEILED:
        for picture in ("#FFFFFF", "#000000", "#808080"):
            assert contrast(theme[ink], blended(theme[veil], picture)) >= 4.5, (ink, veil, picture)
    assert set(DARK) == set(LIGHT)


def test_initials_stand_out_and_stay_the_same() -> None:
    assert all(contrast("#FFFFFF", colour) >= 4.5 for colour in AVATARS)
    assert avatar_colour("reception") == avatar_colour("reception")
    names = {"Front desk": "FD", "reception": "R", "张医生": "张", "": "", "nurse_2": "N2", "  ": " "}
    assert {name: initials(name) for name in names} == names


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_how_long() -> None:
    assert [span(each) for each in (0.4, 67, 3723)] == ["0:00", "1:07", "1:02:03"]
    assert all(len(first) <= len(second) for first, second in pairwise([span(9), span(99), span(9999)]))
