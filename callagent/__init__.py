# SPDX-License-Identifier: GPL-3.0-or-later
"""callagent: an unattended video-call endpoint for Linux, and the call service it talks to."""

__version__ = "0.1.0"
