# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws pages into files, for docs/screens.md and for eyes.

python -m tests.screen.draw docs/screens          those of the documentation
python -m tests.screen.draw --all DIRECTORY       every state, orientation and language
python -m tests.screen.draw --all --gl DIRECTORY  the same by OpenGL, on the X server of $DISPLAY
"""

import argparse
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from callagent.screen.texts import languages

GL = {"QT_QPA_PLATFORM": "xcb", "QSG_RENDER_LOOP": "basic", "QSG_RHI_BACKEND": "opengl"}

SHOWN: tuple[tuple[str, str, str, str], ...] = (
    ("starting", "en", "landscape", "dark"),
    ("idle", "en", "landscape", "dark"),
    ("idle", "ar", "landscape", "light"),
    ("idle", "ja", "portrait", "dark"),
    ("idle_no_network", "en", "landscape", "dark"),
    ("incoming", "zh-Hans", "portrait", "dark"),
    ("incoming_banner", "en", "landscape", "light"),
    ("dialing", "en", "landscape", "dark"),
    ("connected", "en", "landscape", "dark"),
    ("connected_group", "zh-Hant", "landscape", "dark"),
    ("connected", "ar", "portrait", "dark"),
    ("ended", "en", "landscape", "dark"),
)
"""Scene, language, standing, theme."""


def file_of(scene: str, language: str, standing: str, theme: str) -> str:
    return f"{scene}-{standing}-{language}{'-light' if theme == 'light' else ''}.png"


def draw(directory: Path, wanted: Iterator[tuple[str, str, str, str]]) -> set[str]:
    """The names of the graphics interfaces they were drawn with."""
    from PySide6.QtGui import QImage, QImageWriter

    from tests.screen.scenes import SCENES, SIZES, site
    from tests.screen.stage import Stage

    directory.mkdir(parents=True, exist_ok=True)
    interfaces = set()
    for scene, language, standing, theme in wanted:
        shown = SCENES[scene]
        stage = Stage(site(language, **(shown.site | {"theme": theme})), *SIZES[standing])
        stage.hear(*shown.told)
        picture = stage.picture().convertToFormat(QImage.Format.Format_RGB888)
        file = QImageWriter(str(directory / file_of(scene, language, standing, theme)))
        file.setQuality(0)  # of PNG: as small as can be
        file.write(picture)
        interfaces.add(stage.window.rendererInterface().graphicsApi().name)
        stage.close()
    return interfaces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--language", action="append", help="of --all")
    parser.add_argument("--gl", action="store_true")
    args = parser.parse_args()
    # The environment, before Qt.
    if args.gl:
        os.environ |= GL
    else:
        importlib.import_module("tests.screen.conftest")
    if not args.all:
        draw(args.directory, iter(SHOWN))
        return
    from tests.screen.scenes import SCENES, SIZES

    interfaces = draw(
        args.directory,
        (
            (scene, language, standing, args.theme)
            for scene in SCENES
            for language in args.language or languages()
            for standing in SIZES
        ),
    )
    sys.stdout.write(f"{' '.join(sorted(interfaces))}\n")


if __name__ == "__main__":
    os.umask(0o022)
    main()
