# SPDX-License-Identifier: GPL-3.0-or-later
"""What a group of commands adds itself to."""

import argparse
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    # argparse gives the result of `add_subparsers` no public name.
    Subcommands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Subcommands = argparse.Action
