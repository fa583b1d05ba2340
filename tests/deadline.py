# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a test waits for what should happen at once on an idle machine."""

DEADLINE_S = 20.0
