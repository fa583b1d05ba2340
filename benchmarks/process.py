# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes took, as the kernel counts it (proc(5))."""

import os
from pathlib import Path


def cpu_s(pid: int) -> float:
    """User and system time of all its threads, seconds. Raises OSError when it is gone."""
    return _spent_s(_after_name(Path(f"/proc/{pid}")))


def descendants_cpu_s() -> float:
    """The same of all processes below this one."""
    parents, spent = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _after_name(folder)
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid], spent[pid] = int(fields[1]), _spent_s(fields)
    total, own = 0.0, os.getpid()
    for pid, seconds in spent.items():
        above = pid
        while above not in (own, 0, 1):
            above = parents.get(above, 0)
        total += seconds if above == own and pid != own else 0
    return total


def resident_mb(pid: int | str = "self") -> float:
    """Memory that is there, in MB of a million bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _after_name(folder: Path) -> list[str]:
    """The fields of stat behind the name, which may have blanks: state, parent and so on."""
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _spent_s(fields: list[str]) -> float:
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
