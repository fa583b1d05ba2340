# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the programs' log lines go: to standard error, and so to the journal."""

import logging
import os
import sys

from callagent.config.log import LogConfig

_QUIET = (
    "alembic",
    "asyncio",
    "uvicorn",
    "aioice",
    "aiortc",
    "libav",
    "linuxpy",
    "redis",
    "sqlalchemy",
)
"""Libraries whose information is debugging to us."""


def configure_logging(config: LogConfig) -> None:
    """Set up the root logger of this process."""
    # The journal stamps every line with its own time.
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        stream=sys.stderr,
        level=config.level.upper(),
        format=f"{stamp}%(levelname)s %(name)s: %(message)s",
        force=True,
    )
    # Their debugging shows whole messages, tickets included.
    logging.getLogger("websockets").setLevel(logging.INFO)
    if config.level != "debug":
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
    for name, level in config.modules.items():
        logging.getLogger(name).setLevel(level.upper())
