# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of several by way of media servers: clients speak to the service, only the service to the servers."""
