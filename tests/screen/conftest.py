# SPDX-License-Identifier: GPL-3.0-or-later
"""Qt without a display; one application for all tests of a process, as Qt wants it."""

import os

# Before Qt is imported anywhere.
os.environ |= {"QT_QPA_PLATFORM": "offscreen", "QT_QUICK_BACKEND": "software", "QSG_RENDER_LOOP": "basic"}
