# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's migrations, first to last; `storage.migrate` applies them."""
