# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program has a device open, and which group may. Reads /proc and permissions; blocks a little."""

import grp
import os
import pwd
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

SOUND_SERVERS = frozenset({"pipewire", "pipewire-pulse", "wireplumber", "pulseaudio"})


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has the device open."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def holders(node: str, proc: Path = Path("/proc")) -> list[Holder]:
    """The other processes that have this node open, as far as this one may look into them."""
    real = os.path.realpath(node)

    def holds(folder: Path) -> bool:
        other = int(folder.name) != os.getpid()
        return other and any(_leads_to(link, real) for link in (folder / "fd").iterdir())

    return _processes(proc, holds)


def running_programs(names: Collection[str], proc: Path = Path("/proc")) -> list[Holder]:
    """The processes that run under one of these names."""
    return [process for process in _processes(proc) if process.name in names]


def held_by(node: str, proc: Path = Path("/proc")) -> str:
    """For a message: `obs (pid 1234)`, or `another program` when it cannot be seen which."""
    return ", ".join(map(str, holders(node, proc))) or "another program"


def group_hint(node: str) -> str:
    """For a message: what to do so that this process may open the node; empty when that is unclear."""
    try:
        status = os.stat(node)
        group = grp.getgrgid(status.st_gid).gr_name
        user = pwd.getpwuid(os.geteuid()).pw_name
    except (OSError, KeyError):
        return ""
    if group == "root" or not status.st_mode & 0o060:
        return f"{node} belongs to root alone"
    return f"{node} belongs to the group {group}; add the user to it: usermod -aG {group} {user}"


def _processes(proc: Path, wanted: Callable[[Path], bool] = lambda _: True) -> list[Holder]:
    """Those of which `wanted` holds, by number; it gets the process's folder and may raise OSError."""
    found = []
    for folder in proc.iterdir() if proc.is_dir() else ():
        if not folder.name.isdigit():
            continue
        try:
            if wanted(folder):
                found.append(Holder(int(folder.name), (folder / "comm").read_text().strip()))
        except OSError:
            # Somebody else's process, or one that has just ended.
            continue
    return sorted(found, key=lambda holder: holder.pid)


def _leads_to(link: Path, real: str) -> bool:
    try:
        return os.readlink(link) == real
    except OSError:
        return False
