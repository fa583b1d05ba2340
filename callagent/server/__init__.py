# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service: accounts, sessions, call signalling, records, and the pages of the web phone."""
