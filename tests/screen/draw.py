# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws pages into files, for docs/screens.md and for eyes.

python -m tests.screen.draw docs/screens          those of the documentation
python -m tests.screen.draw --all DIRECTORY       every state, orientation and language
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import tests.screen.conftest  # noqa: F401  (the environment, before Qt)
from callagent.screen.texts import languages

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


def draw(directory: Path, wanted: Iterator[tuple[str, str, str, str]]) -> None:
    from PySide6.QtGui import QImage, QImageWriter

    from tests.screen.scenes import SCENES, SIZES, site
    from tests.screen.stage import Stage

    directory.mkdir(parents=True, exist_ok=True)
    for scene, language, standing, theme in wanted:
        shown = SCENES[scene]
        stage = Stage(site(language, **(shown.site | {"theme": theme})), *SIZES[standing])
        stage.hear(*shown.told)
        picture = stage.picture().convertToFormat(QImage.Format.Format_RGB888)
        file = QImageWriter(str(directory / file_of(scene, language, standing, theme)))
        file.setQuality(0)  # of PNG: as small as can be
        file.write(picture)
        stage.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--language", action="append", help="of --all")
    args = parser.parse_args()
    if not args.all:
        draw(args.directory, iter(SHOWN))
        return
    from tests.screen.scenes import SCENES, SIZES

    draw(
        args.directory,
        (
            (scene, language, standing, args.theme)
            for scene in SCENES
            for language in args.language or languages()
            for standing in SIZES
        ),
    )


if __name__ == "__main__":
    os.umask(0o022)
    main()
