# SPDX-License-Identifier: GPL-3.0-or-later
"""Log levels as configured, libraries quieter than our own modules."""

import os
import subprocess
import sys

SCRIPT = """
import logging
from callagent.cli.logs import configure_logging
from callagent.config.log import LogConfig
configure_logging(LogConfig(level={level!r}, modules={{"callagent.rtc": "debug", "callagent.call": "error"}}))
for name in ("callagent.agent", "callagent.rtc.session", "callagent.call.engine", "aioice"):
    logging.getLogger(name).debug("d")
    logging.getLogger(name).info("i")
    logging.getLogger(name).warning("w")
"""


def lines(level: str) -> list[str]:
    environment = os.environ | {"JOURNAL_STREAM": "8:1"}
    command = [sys.executable, "-c", SCRIPT.format(level=level)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stderr.splitlines()


def test_information() -> None:
    assert lines("info") == [
        "INFO callagent.agent: i",
        "WARNING callagent.agent: w",
        "DEBUG callagent.rtc.session: d",
        "INFO callagent.rtc.session: i",
        "WARNING callagent.rtc.session: w",
        "WARNING aioice: w",
    ]


def test_errors_only() -> None:
    assert [line for line in lines("error") if "rtc" not in line and "aioice" not in line] == []
