# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may open the device nodes: the service's user, and whoever asks."""

import grp
import os
import pwd
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from callagent.agent.doctor.checks import Check, State, ok, warning
from callagent.config import AgentConfig

SERVICE_USER = "callagent"
_SHOWN = 4
_UNITS = (
    Path("/etc/systemd/system/callagent.service"),
    Path("/usr/lib/systemd/system/callagent.service"),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Nodes that one sort of device has."""

    globs: tuple[str, ...]
    writes: bool = True
    orphaned: str = "udevadm control --reload && udevadm trigger"
    """What gives such nodes to a group where they belong to root alone."""


KINDS = {
    "camera": Kind(("video*",)),
    "sound": Kind(("snd/pcm*", "snd/control*")),
    "keys": Kind(("input/event*",), writes=False),
    "gpio": Kind(
        ("gpiochip*",),
        orphaned="cp systemd/60-callagent.rules /usr/lib/udev/rules.d/ && udevadm control --reload "
        "&& udevadm trigger -s gpio",
    ),
    "render": Kind(("dri/renderD*",)),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A file and its permission bits. Access lists are not looked at."""

    path: str
    owner: str
    group: str
    mode: int


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    groups: frozenset[str] = frozenset()
    root: bool = False

    def may(self, node: Node, writes: bool) -> bool:
        """As the kernel decides: the bits of the first class that fits count."""
        bits = 0o6 if writes else 0o4
        if self.root:
            return True
        by_group = 3 if node.group in self.groups else 0
        return node.mode >> (6 if node.owner == self.name else by_group) & bits == bits


May = Callable[[Node, bool], bool]


def permission_checks(
    nodes: Mapping[str, Sequence[Node]],
    needed: frozenset[str],
    service: Account | None,
    caller: Account,
    caller_may: May | None = None,
) -> list[Check]:
    """Pure. `needed`: kinds the configuration uses. `caller_may` knows better than the permission bits."""
    checks = []
    if service is None:
        text = f"there is no user {SERVICE_USER}: the agent is not installed as a service"
        remedy = "cp systemd/callagent.sysusers /usr/lib/sysusers.d/callagent.conf && systemd-sysusers"
        checks.append(warning(text, remedy))
    else:
        checks += _account_checks(nodes, needed, service, service.may, as_service=True)
    if caller.root:
        checks.append(ok("you are root, who may use every device"))
    elif service is None or caller.name != service.name:
        severe = needed if service is None else frozenset[str]()
        checks += _account_checks(nodes, severe, caller, caller_may or caller.may, as_service=False)
    return checks


def _account_checks(
    nodes: Mapping[str, Sequence[Node]], needed: frozenset[str], account: Account, may: May, as_service: bool
) -> Iterator[Check]:
    then = " && systemctl restart callagent" if as_service else ", then log in again"
    for kind, present in nodes.items():
        refused = [node for node in present if not may(node, KINDS[kind].writes)]
        if not refused and present:
            yield ok(f"user {account.name} may use {kind}: {_some([node.path for node in present])}")
        for group in sorted({node.group for node in refused}):
            of_group = [node for node in refused if node.group == group]
            state = State.PROBLEM if kind in needed else State.WARNING
            names = _some([f"{node.path} (group {group}, mode {node.mode:04o})" for node in of_group])
            bits = 0o060 if KINDS[kind].writes else 0o040
            orphaned = group == "root" or any(node.mode & bits != bits for node in of_group)
            remedy = KINDS[kind].orphaned if orphaned else f"usermod -aG {group} {account.name}{then}"
            yield Check(state, f"user {account.name} may not use {kind}: {names}", remedy)


def _some(names: Sequence[str]) -> str:
    """A headset alone has half a dozen nodes."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def needed_kinds(config: AgentConfig | None) -> frozenset[str]:
    """What cannot be done without for this configuration; the render node never is."""
    if config is None:
        return frozenset({"camera", "sound"})
    software = ("none", "virtual")
    lines = [button.gpio for button in config.buttons if button.gpio is not None]
    found = {
        "camera": config.camera.device not in software,
        "sound": config.microphone.device not in software or config.speaker.device not in software,
        "keys": any(button.key is not None for button in config.buttons),
        "gpio": bool(lines or config.lights or config.door),
    }
    return frozenset(kind for kind, wanted in found.items() if wanted)


# --- as this machine has it -------------------------------------------------------


def present_nodes(dev: Path = Path("/dev")) -> dict[str, list[Node]]:
    """By kind; kinds without a node have an empty list."""
    return {
        kind: [
            node
            for glob in each.globs
            for path in sorted(dev.glob(glob))
            if (node := file_node(path)) is not None
        ]
        for kind, each in KINDS.items()
    }


def file_node(path: Path) -> Node | None:
    """None where it cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Node(str(path), _user(status.st_uid), _group(status.st_gid), status.st_mode & 0o7777)


def service_account(units: Sequence[Path] = _UNITS) -> Account | None:
    """With the groups the unit adds; None where the user does not exist."""
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None
    groups = {_group(number) for number in os.getgrouplist(user.pw_name, user.pw_gid)}
    return Account(user.pw_name, frozenset(groups | _unit_groups(units)))


def calling_account() -> Account:
    number = os.geteuid()
    groups = {_group(each) for each in (os.getegid(), *os.getgroups())}
    return Account(_user(number), frozenset(groups), root=number == 0)


def caller_may(node: Node, writes: bool) -> bool:
    """Asks the kernel, which knows of access lists too."""
    return os.access(node.path, os.R_OK | (os.W_OK if writes else 0))


def _unit_groups(units: Sequence[Path]) -> set[str]:
    for unit in units:
        try:
            text = unit.read_text()
        except OSError:
            continue
        return {name for line in re.findall(r"(?m)^SupplementaryGroups=(.*)$", text) for name in line.split()}
    return set()


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
