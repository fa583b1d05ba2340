# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on an X server that has no window manager, as on a kiosk."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.x_display import screen_environment, x_display

SIZE = (640, 400)
DEADLINE_S = 30.0


@pytest.mark.parametrize("renderer", ["software", "gpu"])
def test_the_page_fills_the_screen(tmp_path: Path, renderer: str) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(
        "identity: {user: lobby, usersig: abc}\n"
        f"control: {{socket: {tmp_path / 'agent.sock'}}}\n"
        f"screen: {{platform: xcb, renderer: {renderer}, place: Ward 3}}\n"
    )
    with x_display(SIZE, tmp_path) as display:
        program = subprocess.Popen(
            [sys.executable, "-m", "callagent", "screen", "-c", str(file)],
            env=screen_environment(display) | {"CALLAGENT_FRAMES": str(tmp_path / "frames.sock")},
        )
        try:
            deadline = time.monotonic() + DEADLINE_S
            while (bare := int((display.picture()[..., :3].max(axis=2) == 0).sum())) > 0:
                assert program.poll() is None
                assert time.monotonic() < deadline, f"{bare} pixels are black"
                time.sleep(0.1)
        finally:
            program.terminate()
            assert program.wait(DEADLINE_S) == 0
