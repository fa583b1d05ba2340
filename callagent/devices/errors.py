# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers a device failure can have.

The same numbers as `callagent.protocol.errors.ErrorCode`, which this package may
not import; `SourceError.code` carries them.
"""

CAMERA_START_FAIL = -1301
CAMERA_NOT_AUTHORIZED = -1314
CAMERA_SET_PARAM_FAIL = -1315
CAMERA_OCCUPY = -1316
NO_CAMERA = 60004

MIC_START_FAIL = -1302
MIC_NOT_AUTHORIZED = -1317
MIC_SET_PARAM_FAIL = -1318
MIC_OCCUPY = -1319
NO_MICROPHONE = 60003

SPEAKER_FAIL = 90022

ABSENT_CODES = frozenset({NO_CAMERA, NO_MICROPHONE})
"""Codes that mean: there is no such device (SourceState.ABSENT rather than FAILED)."""

TAKEN_CODES = frozenset({CAMERA_NOT_AUTHORIZED, CAMERA_OCCUPY, MIC_NOT_AUTHORIZED, MIC_OCCUPY})
"""Codes that mean: the device is well, but not ours to use; a smaller mode does not help."""
