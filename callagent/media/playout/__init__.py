# SPDX-License-Identifier: GPL-3.0-or-later
"""Received media on its way to screen and speaker: in order, decoded, at the right moment."""
