# SPDX-License-Identifier: Apache-2.0
"""A listening SOCK_SEQPACKET socket in the file system (unix(7)), for its owner and one group."""

import grp
import logging
import os
import socket
import stat
from pathlib import Path

logger = logging.getLogger(__name__)

_BACKLOG = 8


def listen(path: Path, mode: int, group: str | None) -> socket.socket:
    """Replaces what a killed process left. Blocks for a moment; raises OSError when another listens there."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _remove_stale(path)
    listening = socket.socket(
        socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    )
    try:
        # The file gets the socket's own mode, so it is closed to others from the first moment.
        os.fchmod(listening.fileno(), 0o600)
        listening.bind(str(path))
        _give_to_group(path, group)
        path.chmod(mode)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _give_to_group(path: Path, group: str | None) -> None:
    if group is None:
        return
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except (KeyError, PermissionError):
        logger.debug("%s stays with its owner: no group %s to give it to", path, group)


def _remove_stale(path: Path) -> None:
    """A socket nobody listens on is what a killed process left; one that answers is another's."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} exists and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise FileExistsError(f"another process listens on {path}")
