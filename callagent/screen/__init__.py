# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture on the kiosk's screen: Qt Quick, a process of its own that may die without a call noticing."""
