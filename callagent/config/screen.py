# SPDX-License-Identifier: GPL-3.0-or-later
"""Where remote pictures go."""

from callagent.config.base import FilePath, Section


class VirtualScreenConfig(Section):
    record: FilePath | None = None
    """A file that gets one JSON line for each remote picture with a frame code."""


class ScreenConfig(Section):
    virtual: VirtualScreenConfig = VirtualScreenConfig()
