# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting without keeping busy what is waited for."""

from functools import partial

from tests import programs

until = partial(programs.until, pause_s=0.25)
"""`programs.until`, with time between two looks for the guest, its agent and the virtual USB devices here."""
