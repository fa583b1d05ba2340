# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the service's truth is kept: tables, the engine, migrations."""
