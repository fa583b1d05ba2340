# SPDX-License-Identifier: GPL-3.0-or-later
"""What is plugged in: cameras, microphones, speakers, and virtual ones. Knows no calls."""
