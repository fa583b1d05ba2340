# SPDX-License-Identifier: GPL-3.0-or-later
"""`call_statistics_http_srv`, ours: what the dashboard shows (callkit-server 3.2)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from callagent.protocol.enums import CallResult
from callagent.server.calls.records import CallType, RecordFilter
from callagent.server.calls.statistics import statistics
from callagent.server.rest.call_record import RecordRoute, Time
from callagent.server.rest.contract import Envelope, Rest
from callagent.server.rest.gate import Admin, limited, service_of

PER_S = 20
KEPT_S = 366 * 24 * 3600

UtcOffset = Annotated[int, Field(strict=True, ge=-14 * 3600, le=14 * 3600)]


class GetStatistics(Rest):
    start_time: Time = 0
    """Unix seconds of the invitation; of the last year at most."""
    end_time: Time | None = None
    """None: now."""
    call_type: CallType | None = None
    utc_offset: UtcOffset = 0
    """Seconds by which the days begin earlier than in Greenwich: 3600 in Central Europe's winter."""


class DayStatistics(Rest):
    time: int
    """Its midnight, Unix seconds."""
    call_num: int
    answered_num: int
    duration: int
    """Seconds connected, of all together."""


class StatisticsResponse(Rest):
    call_num: int
    """All that were begun, answered or not."""
    answered_num: int
    user_num: int
    """Who was connected in at least one call."""
    max_concurrent_num: int
    live_num: int
    """Calls going on now."""
    duration: int
    """Seconds connected, of all together."""
    max_duration: int
    result_num: dict[CallResult, int]
    day_list: list[DayStatistics]


class StatisticsReply(Envelope):
    response: StatisticsResponse


router = APIRouter(
    prefix="/v4/call_statistics_http_srv", route_class=RecordRoute, tags=["call_statistics_http_srv"]
)


@router.post("/get_statistics", dependencies=[Depends(limited(PER_S))])
async def get_statistics(request: Request, app_id: Admin, body: GetStatistics) -> StatisticsReply:
    service = service_of(request)
    now = service.now()
    wanted = RecordFilter(
        began_from=max(body.start_time, now - KEPT_S),
        began_until=body.end_time if body.end_time is not None else now,
        call_type=body.call_type,
    )
    found = await statistics(service.storage, app_id, wanted, body.utc_offset)
    return StatisticsReply(
        response=StatisticsResponse(
            call_num=found.calls,
            answered_num=found.answered,
            user_num=found.users,
            max_concurrent_num=found.most_at_once,
            live_num=found.live,
            duration=round(found.total_s),
            max_duration=round(found.longest_s),
            result_num={result: found.results.get(result, 0) for result in CallResult},
            day_list=[
                DayStatistics(
                    time=int(day.began_at),
                    call_num=day.calls,
                    answered_num=day.answered,
                    duration=round(day.total_s),
                )
                for day in found.days
            ],
        )
    )
