# SPDX-License-Identifier: GPL-3.0-or-later
"""A share of the processor for some processes: a control group (cgroups(7)), version 2 or 1."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PERIOD_US = 20_000
_V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")


class NoControlGroup(Exception):
    """This machine lets us make none; one sentence."""


@contextmanager
def cpu_group(name: str, cores: float) -> Iterator[Path]:
    """What is put into it (`enter`) gets so many cores at most, and must have ended at the end.

    Raises NoControlGroup.
    """
    version_2 = (_V2 / "cgroup.controllers").exists()
    group = (_V2 if version_2 else _V1) / f"callagent-{name}-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise NoControlGroup(f"no control group: {error}") from error
    try:
        _limit(group, int(cores * PERIOD_US), version_2)
        yield group
    finally:
        group.rmdir()


def enter(group: Path, pid: int) -> None:
    """The whole process, with all its threads."""
    (group / "cgroup.procs").write_text(str(pid))


def _limit(group: Path, quota_us: int, version_2: bool) -> None:
    try:
        if version_2:
            (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
    except OSError as error:
        raise NoControlGroup(f"the control group takes no limit: {error}") from error
