# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a call with the real `VideoTile`, in a process of its own: draws it once a picture is there.

python -m tests.screen.call_page SOCKET FILE.png
"""

import sys
from pathlib import Path

import tests.screen.conftest  # noqa: F401  (the environment, before Qt)

DEADLINE_MS = 30_000


def main(socket_path: Path, picture: Path) -> int:
    from PySide6.QtCore import QEventLoop, QTimer

    from callagent.screen import frame_source, tile
    from tests.screen.scenes import SCENES, SIZES, site
    from tests.screen.stage import Stage, application

    application(tile.register)
    source = frame_source.FrameSource(socket_path)
    frame_source.install(source)
    stage = Stage(site("en"), *SIZES["landscape"])
    stage.hear(*SCENES["connected"].told)
    # The tile is there, unseen, until there is something to show.
    remote = stage.named("tile_remote/watson/camera").findChild(tile.VideoTile)
    assert remote is not None
    waiting = QEventLoop()
    remote.painted.connect(lambda *_: waiting.exit(0))
    QTimer.singleShot(DEADLINE_MS, lambda: waiting.exit(1))
    failed = waiting.exec()
    stage.settle()
    stage.picture().save(str(picture))
    sys.stdout.write("\n".join(stage.complaints))
    stage.close()
    source.close()
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
