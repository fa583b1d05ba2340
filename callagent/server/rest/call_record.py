# SPDX-License-Identifier: GPL-3.0-or-later
"""`call_record_http_srv`: calls that are over (callkit-server 5.3, 5.4).

`get_record_by_filter` tells of the last seven days. Its reply's `Page` is the page asked for while more
follow, else 0: the reference says that above 0 there is more, and shows no last page.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from callagent.protocol.enums import CallResult
from callagent.server.calls.records import CallType, RecordFilter, record_of_call, records_of
from callagent.server.rest.contract import Envelope, Rest, RestCode, RestError
from callagent.server.rest.gate import Admin, limited, service_of
from callagent.server.rest.route import RestRoute
from callagent.server.rest.shapes import RestRecord, rest_record

KEPT_S = 7 * 24 * 3600
MAX_PER_PAGE = 100

Count = Annotated[int, Field(strict=True, ge=1, lt=2**31)]
Time = Annotated[int, Field(strict=True, ge=0, lt=2**53)]


class RecordRoute(RestRoute):
    bad_parameter = RestCode.CALL_PARAMETER
    internal = RestCode.CALL_INTERNAL


class GetRecord(Rest):
    call_id: str


class GetRecords(Rest):
    start_time: Time = 0
    """Unix seconds; of the last seven days at most."""
    end_time: Time | None = None
    """None: now."""
    call_result: CallResult | None = None
    call_type: CallType | None = None
    number_per_page: Annotated[Count, Field(le=MAX_PER_PAGE)] = 10
    page: Count = 1


class RecordResponse(Rest):
    call_record: RestRecord


class RecordReply(Envelope):
    response: RecordResponse


class RecordsResponse(Rest):
    total_num: int
    page: int
    call_record_list: list[RestRecord]


class RecordsReply(Envelope):
    response: RecordsResponse


router = APIRouter(prefix="/v4/call_record_http_srv", route_class=RecordRoute, tags=["call_record_http_srv"])


@router.post("/get_record_by_callid", dependencies=[Depends(limited())])
async def get_record_by_callid(request: Request, app_id: Admin, body: GetRecord) -> RecordReply:
    found = await record_of_call(service_of(request).storage, app_id, body.call_id)
    if found is None:
        raise RestError(RestCode.RECORD_NOT_EXIST, "There is no record of such a call")
    return RecordReply(response=RecordResponse(call_record=rest_record(found)))


@router.post("/get_record_by_filter", dependencies=[Depends(limited())])
async def get_record_by_filter(request: Request, app_id: Admin, body: GetRecords) -> RecordsReply:
    """The newest first."""
    service = service_of(request)
    now = service.now()
    skipped = (body.page - 1) * body.number_per_page
    wanted = RecordFilter(
        began_from=max(float(body.start_time), now - KEPT_S),
        began_until=float(body.end_time) if body.end_time is not None else now,
        result=body.call_result,
        call_type=body.call_type,
        skip=skipped,
        limit=body.number_per_page,
    )
    found = await records_of(service.storage, app_id, wanted)
    more = skipped + len(found.records) < found.total
    return RecordsReply(
        response=RecordsResponse(
            total_num=found.total,
            page=body.page if more else 0,
            call_record_list=[rest_record(record) for record in found.records],
        )
    )
