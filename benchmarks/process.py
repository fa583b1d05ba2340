# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process took, as the kernel counts it (proc(5))."""

import os
from pathlib import Path

OWN = "self"


def cpu_s(pid: int | str = OWN) -> float:
    """User and system time of all its threads, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int | str = OWN) -> float:
    """Memory that is there, in MB of a million bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
