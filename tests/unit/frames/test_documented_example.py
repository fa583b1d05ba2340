# SPDX-License-Identifier: GPL-3.0-or-later
"""The program in docs/frame-channel.md does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.unit.frames import rig

DOCUMENT = Path(__file__).parents[3] / "docs" / "frame-channel.md"
LINE = re.compile(r"(\d+): (\d+)x(\d+), (\d+\.\d) ms, (\d+)\n")


def test_the_example_reads_and_survives_the_agent(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(program.splitlines()) <= 35
    path = tmp_path / "frames.sock"
    environment = os.environ | {"CALLAGENT_FRAMES": str(path)}
    watch = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, rig.STREAM],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    try:
        for _ in range(2):
            writer = rig.start("writer", path, "50")
            last = 0
            for _ in range(20):
                found = LINE.fullmatch(watch.stdout.readline())
                assert found is not None
                counter, value = int(found[1]), int(found[5])
                assert counter > last
                assert value == counter % 256
                last = counter
            rig.kill(writer)
            for line in watch.stdout:
                if line == "the stream has ended\n":
                    break
    finally:
        rig.kill(watch)
