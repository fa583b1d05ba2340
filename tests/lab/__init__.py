# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory: a virtual machine with real kernel devices, callagent installed in it as a user would."""
