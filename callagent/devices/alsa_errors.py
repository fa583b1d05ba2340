# SPDX-License-Identifier: GPL-3.0-or-later
"""What ALSA says, as typed errors. pyalsaaudio hands on the words only, never the number."""

import errno
import os
from dataclasses import dataclass

from callagent.devices.alsa_cards import held_by, pcm_node
from callagent.devices.errors import (
    MIC_NOT_AUTHORIZED,
    MIC_OCCUPY,
    MIC_SET_PARAM_FAIL,
    MIC_START_FAIL,
    NO_MICROPHONE,
    SPEAKER_FAIL,
)
from callagent.devices.holders import group_hint
from callagent.ports import SourceError, SourceState


@dataclass(frozen=True, slots=True)
class SoundDeviceKind:
    """What one direction's failures are called."""

    word: str
    absent: int
    start: int
    not_authorized: int
    parameters: int
    occupied: int


MICROPHONE = SoundDeviceKind(
    "microphone", NO_MICROPHONE, MIC_START_FAIL, MIC_NOT_AUTHORIZED, MIC_SET_PARAM_FAIL, MIC_OCCUPY
)
SPEAKER = SoundDeviceKind("speaker", SPEAKER_FAIL, SPEAKER_FAIL, SPEAKER_FAIL, SPEAKER_FAIL, SPEAKER_FAIL)

_ABSENT = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO})
_KNOWN = (*_ABSENT, errno.EACCES, errno.EPERM, errno.EBUSY, errno.EINVAL, errno.EIO, errno.ENOTTY)


def errno_of(message: str) -> int:
    """The number behind "strerror text [device]"; 0 when the text is none of the kernel's usual."""
    text = message.split(" [", 1)[0]
    return next((number for number in _KNOWN if os.strerror(number) == text), 0)


def alsa_error(error: Exception, device: str, kind: SoundDeviceKind) -> tuple[SourceError, SourceState]:
    """The typed error for a failure of this device, and the state that leaves it in. Blocks a little."""
    number = errno_of(str(error))
    name = f"The {kind.word} {device}"
    if number in _ABSENT:
        return SourceError(f"There is no {kind.word} {device}", kind.absent), SourceState.ABSENT
    capture = kind is MICROPHONE
    if number in (errno.EACCES, errno.EPERM):
        node = pcm_node(device, capture)
        hint = group_hint(node) if node else ""
        reason = f"permission denied; {hint}" if hint else "permission denied"
        return SourceError(f"{name} may not be used: {reason}", kind.not_authorized), SourceState.FAILED
    if number == errno.EBUSY:
        return SourceError(
            f"{name} is in use by {held_by(device, capture)}", kind.occupied
        ), SourceState.FAILED
    if number in (errno.EINVAL, errno.ENOTTY):
        return SourceError(f"{name} refuses its settings", kind.parameters), SourceState.FAILED
    return SourceError(f"{name} failed: {error}", kind.start), SourceState.FAILED
