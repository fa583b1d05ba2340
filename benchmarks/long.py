# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m benchmarks.long`: every benchmark at full length, kept in docs/results.

With `--check` nothing is measured: a result that is missing fails, one that is
older than the code it measures is named.
"""

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.__main__ import BENCHMARKS
from benchmarks.report import commit

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
AGENT = tuple(
    f"callagent/{room}"
    for room in ("agent", "call", "config", "devices", "media", "ports", "protocol", "rtc")
)
"""What the agent's process is made of."""
MEASURED = {
    "audio": ("benchmarks/echo.py", "benchmarks/echo_room.py", "callagent/media/audio_processing"),
    "audio_network": (
        "benchmarks/audio_network.py",
        "benchmarks/speech.py",
        "callagent/media/opus",
        "callagent/media/playout",
    ),
    "coverage": (
        "benchmarks/coverage.py",
        "callagent/protocol",
        "callagent/server",
        "tests/coverage",
        "tests/covers.py",
        "tests/without_row.py",
        "tests/integration",
    ),
    "encoders": ("benchmarks/encoders.py", "benchmarks/encoders_run.py", "callagent/media"),
    "fanout": ("benchmarks/fanout*.py", "callagent/media", "callagent/rtc"),
    "hotplug": ("benchmarks/hotplug*.py", "callagent/agent", "callagent/devices", "callagent/media"),
    "idle": ("benchmarks/idle.py", *AGENT),
    # The guest's agent; the service beside it only has to be there.
    "laboratory": (
        "benchmarks/laboratory.py",
        "tests/lab",
        "callagent/agent",
        "callagent/call",
        "callagent/devices",
        "callagent/media",
        "callagent/ports",
        "callagent/rtc",
    ),
    "loopback": (
        "benchmarks/loopback*",
        "benchmarks/scene.py",
        "callagent/devices/virtual",
        "callagent/media",
        "callagent/ports",
        "callagent/rtc",
    ),
    "screen": (
        *(f"benchmarks/screen{part}.py" for part in ("", "_clip", "_feeder", "_gstreamer", "_window")),
        "callagent/frames",
        "callagent/screen",
    ),
    "screen_kills": (
        "benchmarks/screen_kills.py",
        "callagent/agent",
        "callagent/client",
        "callagent/frames",
        "callagent/screen",
    ),
    "setup": ("benchmarks/setup.py", *AGENT, "callagent/server", ":(exclude)callagent/server/web"),
    "signalling": (
        "benchmarks/signalling*.py",
        "benchmarks/cpu_group.py",
        "callagent/protocol",
        "callagent/server",
        ":(exclude)callagent/server/web",
    ),
    "soak": ("benchmarks/soak*.py", "callagent/media", "callagent/rtc"),
    "weaknet": (
        "benchmarks/weaknet*.py",
        "benchmarks/outage.py",
        "tests/impaired_link.py",
        "callagent/call",
        "callagent/media",
        "callagent/rtc",
    ),
}
"""The code each benchmark measures."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="only look whether the results are there and new"
    )
    if parser.parse_args().check:
        return check(RESULTS)
    for name in BENCHMARKS:
        measure(name, RESULTS)
    return 0


def measure(name: str, folder: Path) -> None:
    """Run one benchmark at full length and write NAME.json."""
    # The commit of now: a later one may be there at the end.
    began, date, measured = time.monotonic(), datetime.now(UTC), commit()
    report = BENCHMARKS[name](False)
    print(report.table())
    result = {
        "commit": measured,
        "date": date.isoformat(timespec="seconds"),
        "length_s": round(time.monotonic() - began),
        "report": json.loads(report.json()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


def check(folder: Path) -> int:
    """Exit code 1 when a result is missing; older ones are only named."""
    missing = [name for name in BENCHMARKS if not (folder / f"{name}.json").exists()]
    for name in missing:
        print(f"{name}: no result in {folder.name}; run make long")
    for name in sorted(set(BENCHMARKS) - set(missing)):
        result = json.loads((folder / f"{name}.json").read_text())
        age = "older than the code it measures" if _older(result["commit"], MEASURED[name]) else "up to date"
        print(f"{name}: {age} (measured {result['date']} at {result['commit'][:12]})")
    return 1 if missing else 0


def _older(commit: str, paths: tuple[str, ...]) -> bool:
    """Whether the code changed since; a commit that is not known here counts as older."""
    command = ["git", "-C", str(ROOT), "diff", "--quiet", commit.rstrip("+"), "HEAD", "--", *paths]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode != 0


if __name__ == "__main__":
    sys.exit(main())
