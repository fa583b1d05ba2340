# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hardware profile gives the defaults of this machine."""

from callagent.config.base import Section
from callagent.config.profile import AUTO, ProfileName


class HardwareConfig(Section):
    profile: ProfileName = AUTO
    """`auto`: the one that fits best; `none`: none; else its name, whatever the machine says of itself."""
