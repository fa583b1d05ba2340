# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m callagent` is the `callagent` command."""

import sys

from callagent.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
