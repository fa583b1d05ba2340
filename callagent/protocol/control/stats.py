# SPDX-License-Identifier: Apache-2.0
"""Where the time of pictures and sound goes."""

from typing import Annotated

from pydantic import Field

from callagent.protocol.base import Wire


class StatsQuery(Wire):
    """Query of GET /v1/stats; answered with `StatsData` after so many seconds."""

    seconds: Annotated[float, Field(ge=0.1, le=60)] = 5.0


class StageStats(Wire):
    """One stage of the way, as many times as something passed it."""

    stage: str
    """Sent: `captured`, `picked`, `prepared`, `encoded`, `queued`, `sent`.

    Received: `assembled`, `waited`, `decoded`, `played`.
    """
    count: int
    p50_ms: float
    p95_ms: float
    max_ms: float


class StatsData(Wire):
    """Answer of GET /v1/stats."""

    seconds: float
    stages: list[StageStats]
    drops: dict[str, int] = {}
    """Pictures and packets left out, by cause."""
