# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page as a GPU draws it (here llvmpipe, on Xvfb), beside the same page drawn in software."""

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from benchmarks.x_display import screen_environment, x_display
from callagent.screen.texts import languages
from tests.screen.draw import GL, file_of
from tests.screen.likeness import likeness
from tests.screen.scenes import SCENES, SIZES, site
from tests.screen.stage import Stage

ALIKE = 0.985
"""Edges of letters and of round things are drawn otherwise."""


@pytest.fixture(scope="module")
def by_gl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture of each page."""
    folder = tmp_path_factory.mktemp("gl")
    with x_display((1000, 1000), tmp_path_factory.mktemp("display")) as display:
        done = subprocess.run(
            [sys.executable, "-m", "tests.screen.draw", "--all", "--gl", str(folder)],
            env=screen_environment(display) | GL,
            check=True,
            timeout=300,
            stdout=subprocess.PIPE,
            text=True,
        )
    assert done.stdout == "OpenGL\n"
    return folder


@pytest.mark.timeout(400)
@pytest.mark.parametrize("standing", SIZES)
@pytest.mark.parametrize("scene", SCENES)
def test_a_gpu_draws_the_same_page(by_gl: Path, scene: str, standing: str) -> None:
    unlike = {}
    for language in languages():
        shown = SCENES[scene]
        stage = Stage(site(language, **shown.site), *SIZES[standing])
        stage.hear(*shown.told)
        found = likeness(QImage(str(by_gl / file_of(scene, language, standing, "dark"))), stage.picture())
        stage.close()
        if found < ALIKE:
            unlike[language] = found
    assert unlike == {}
