# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls: the pure state machine, the repository that applies it, the records that remain."""
