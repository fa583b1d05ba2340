# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reference documents describe, row by row: which tests prove it, or why it is not built."""
