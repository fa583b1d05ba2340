# SPDX-License-Identifier: GPL-3.0-or-later
"""For all tests."""

from hypothesis import settings

# A noisy machine stops a process for longer than any deadline of one example.
settings.register_profile("noisy machine", deadline=None)
settings.load_profile("noisy machine")
