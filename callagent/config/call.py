# SPDX-License-Identifier: GPL-3.0-or-later
"""How the agent itself calls."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from callagent.config.base import Section


def _ring_time(value: int) -> int:
    if 0 < value < 10:
        raise ValueError("must be 0 (the default of 30) or 10 to 600")
    return value


class CallConfig(Section):
    timeout_s: Annotated[int, Field(ge=0, le=600), AfterValidator(_ring_time)] = 30
    """How long the other side rings; 0 means 30."""
    media_type: Literal["video", "audio"] = "video"
