# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/screens.md shows what `tests.screen.draw` draws, and nothing else."""

import re
from pathlib import Path

from tests.screen.draw import SHOWN, file_of
from tests.screen.scenes import SCENES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_pictures_of_the_documentation() -> None:
    shown = re.findall(r"\(screens/([^)]+)\)", (DOCS / "screens.md").read_text())
    assert shown == [file_of(*each) for each in SHOWN]
    assert sorted(shown) == sorted(path.name for path in (DOCS / "screens").iterdir())
    assert {scene for scene, *_ in SHOWN} <= set(SCENES)
