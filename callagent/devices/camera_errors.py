# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says about a camera, as typed errors with what to do."""

import errno

from callagent.devices.errors import (
    CAMERA_NOT_AUTHORIZED,
    CAMERA_OCCUPY,
    CAMERA_SET_PARAM_FAIL,
    CAMERA_START_FAIL,
    NO_CAMERA,
)
from callagent.devices.holders import group_hint, held_by
from callagent.ports import SourceError

_GONE = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO})


def camera_error(error: OSError, path: str) -> SourceError:
    """Looks into /proc and at the node's permissions where that helps; blocks a little."""
    if error.errno in _GONE:
        return SourceError(f"There is no camera {path}", NO_CAMERA)
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = group_hint(path)
        reason = f"{error.strerror}; {hint}" if hint else error.strerror
        return SourceError(f"The camera {path} may not be used: {reason}", CAMERA_NOT_AUTHORIZED)
    if error.errno == errno.EBUSY:
        return SourceError(f"The camera {path} is in use by {held_by(path)}", CAMERA_OCCUPY)
    if error.errno == errno.EINVAL:
        return SourceError(f"The camera {path} refuses its settings", CAMERA_SET_PARAM_FAIL)
    if error.errno == errno.ENOSPC:
        return SourceError(
            f"The camera {path} gets not enough USB bandwidth: plug it or its neighbour into another port",
            CAMERA_START_FAIL,
        )
    return SourceError(f"The camera {path} does not start: {error.strerror or error}", CAMERA_START_FAIL)


def typed(error: Exception, path: str) -> SourceError:
    """The same for whatever opening or reading a camera may raise."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, OSError):
        return camera_error(error, path)
    return SourceError(f"The camera {path} does not start: {error}", CAMERA_START_FAIL)
