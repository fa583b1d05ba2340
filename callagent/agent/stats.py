# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of pictures goes, for `callagent stats`."""

import asyncio

from callagent.media import LatencyTracer
from callagent.protocol import control as api


async def measured(tracer: LatencyTracer, seconds: float) -> api.StatsData:
    """What passes within so many seconds from now."""
    window = tracer.open()
    try:
        await asyncio.sleep(seconds)
    finally:
        tracer.close(window)
    stages = [
        api.StageStats(
            stage=stage,
            count=figures.count,
            p50_ms=round(1000 * figures.p50_s, 2),
            p95_ms=round(1000 * figures.p95_s, 2),
            max_ms=round(1000 * figures.max_s, 2),
        )
        for stage, figures in window.figures().items()
    ]
    drops = {str(cause): count for cause, count in sorted(window.drops.items())}
    return api.StatsData(seconds=seconds, stages=stages, drops=drops)
