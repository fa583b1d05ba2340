# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit codes, where they exist those of sysexits.h(3head)."""

OK = 0
FAILED = 1
USAGE = 2
"""argparse's own."""
UNREACHABLE = 69
"""EX_UNAVAILABLE: no agent or no service answers."""
CONFIG = 78
"""EX_CONFIG: systemd does not start the unit again (RestartPreventExitStatus)."""
INTERRUPTED = 130


class CommandFailed(Exception):
    """An expected failure: its message is one clear line, its code the exit status."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
