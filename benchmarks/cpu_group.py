# SPDX-License-Identifier: GPL-3.0-or-later
"""A share of the processor for some processes: a control group (cgroups(7)), version 2 or 1."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PERIOD_US = 20_000
_V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")


@contextmanager
def cpu_group(name: str, cores: float) -> Iterator[Path]:
    """What is put into it (`enter`) gets so many cores at most. Raises OSError where there are no groups."""
    quota = int(cores * PERIOD_US)
    version_2 = (_V2 / "cgroup.controllers").exists()
    group = (_V2 if version_2 else _V1) / f"callagent-{name}-{os.getpid()}"
    group.mkdir()
    try:
        if version_2:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        yield group
    finally:
        # Processes that ended are gone from it; others would keep it.
        group.rmdir()


def enter(group: Path, pid: int) -> None:
    """The whole process, with all its threads."""
    (group / "cgroup.procs").write_text(str(pid))
