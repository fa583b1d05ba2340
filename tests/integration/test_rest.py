# SPDX-License-Identifier: GPL-3.0-or-later
"""REST v4 over real connections: envelope, gate and every command."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from callagent.server.accounts import ADMINISTRATOR, DEFAULT_APP_ID
from callagent.server.app import create_app
from callagent.server.rate_limit import RateLimit
from callagent.server.service import CallService
from tests.covers import covers
from tests.unit.server.rest_client import BackEnd, Json
from tests.unit.server.rig import MEMORY, Client, FakeNow, Rig, fresh, running

INFO, END = "call_engine_http_srv/get_call_info", "call_engine_http_srv/end_call"
RECORD, RECORDS = "call_record_http_srv/get_record_by_callid", "call_record_http_srv/get_record_by_filter"
NOBODY = "055662e1-bc8a-469c-a334-1126c8c17d58"


@pytest.fixture
def now() -> FakeNow:
    return FakeNow()


@pytest.fixture
async def rig(now: FakeNow) -> AsyncIterator[Rig]:
    async with fresh(now=now) as rig:
        yield rig


@pytest.fixture
async def back_end(rig: Rig) -> AsyncIterator[BackEnd]:
    async with aiohttp.ClientSession(rig.http) as http:
        yield BackEnd(http, DEFAULT_APP_ID, ADMINISTRATOR, await rig.usersig(ADMINISTRATOR))


async def call(caller: Client, callee: str, **more: object) -> str:
    fields: Json = {"userIdList": [callee], "mediaType": 2, **more}
    call_id: str = (await caller.ok("calls", **fields))["callId"]
    return call_id


# --- the gate ---------------------------------------------------------------------


@covers("rest-code:60002", "rest-code:60004", "rest-code:60005", "rest-code:60006", "rest-code:60012")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"sdkappid": None}, 60012),
        ({"sdkappid": "x"}, 60006),
        ({"sdkappid": "7"}, 60006),
        ({"sdkappid": "99999999999999999999"}, 60006),
        ({"identifier": None}, 60004),
        ({"identifier": "anna"}, 60005),
        ({"usersig": None}, 60005),
        ({"usersig": "eJw"}, 60005),
        ({"contenttype": "xml"}, 60002),
        ({"random": "-1"}, 60002),
        ({"random": "4294967296"}, 60002),
    ],
)
async def test_a_request_that_is_not_signed_as_it_should_be(
    back_end: BackEnd, query: dict[str, str | None], code: int
) -> None:
    assert await back_end.code(INFO, {"CallId": NOBODY}, **query) == code


@covers("rest-code:60010")
async def test_only_administrators_may(rig: Rig, back_end: BackEnd) -> None:
    accounts = rig.service.accounts
    await accounts.add_user(DEFAULT_APP_ID, "anna")
    anna: dict[str, str | None] = {"identifier": "anna", "usersig": await rig.usersig("anna")}
    assert await back_end.code(INFO, {"CallId": NOBODY}, **anna) == 60010
    await accounts.set_admin(DEFAULT_APP_ID, "anna", True)
    assert await back_end.code(INFO, {"CallId": NOBODY}, **anna) == 101004
    await accounts.set_admin(DEFAULT_APP_ID, "anna", False)
    assert await back_end.code(INFO, {"CallId": NOBODY}, **anna) == 60010


@covers("rest-code:60003")
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b'{"CallId": "' + b"x" * 300_000]
)
async def test_a_body_that_is_no_object_is_refused(back_end: BackEnd, body: bytes) -> None:
    reply = await back_end.send(INFO, body)
    assert reply["ErrorCode"] == 60003
    assert reply["ErrorInfo"]


@covers("rest-code:60009")
async def test_what_is_not_there(rig: Rig, back_end: BackEnd) -> None:
    assert await back_end.code("call_engine_http_srv/no_such") == 60009
    assert await back_end.code("no_such/get_call_info") == 60009
    async with aiohttp.ClientSession(rig.http) as http, http.get(f"/v4/{INFO}") as reply:
        assert (reply.status, (await reply.json())["ErrorCode"]) == (200, 60002)


@covers("rest-code:101002")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (INFO, 101002),
        (END, 101002),
        ("call_engine_http_srv/DismissRoom", 101002),
        (RECORD, 101002),
        ("im_open_login_svc/account_import", 70402),
        ("im_open_login_svc/multiaccount_import", 70402),
        ("im_open_login_svc/account_check", 70402),
        ("im_open_login_svc/account_delete", 70402),
        ("profile/portrait_set", 40001),
        ("profile/portrait_get", 40001),
        ("openim/query_online_status", 70402),
    ],
)
async def test_a_field_that_is_missing_is_named_with_the_services_own_code(
    back_end: BackEnd, command: str, code: int
) -> None:
    reply = await back_end.post(command, {})
    assert reply["ErrorCode"] == code
    assert ":" in reply["ErrorInfo"], "which field"


@covers("rest-code:60007")
async def test_too_many_requests_are_told(back_end: BackEnd) -> None:
    codes = [(await back_end.post(END, {"CallId": NOBODY}))["ErrorCode"] for _ in range(40)]
    assert codes[:20] == [101004] * 20
    assert 60007 in codes[20:]
    assert (await back_end.post(INFO, {"CallId": NOBODY}))["ErrorCode"] == 101004, "another command"


@covers("rest-code:60011")
async def test_an_app_that_asks_for_too_much_of_everything() -> None:
    service = await CallService.open(MEMORY)
    app = create_app(service)
    app.state.rest_limit = RateLimit(burst=1, per_s=0.001)
    async with running(service, app) as rig, aiohttp.ClientSession(rig.http) as http:
        back_end = BackEnd(http, DEFAULT_APP_ID, ADMINISTRATOR, await rig.usersig(ADMINISTRATOR))
        assert await back_end.code(INFO, {"CallId": NOBODY}) == 101004
        assert await back_end.code(INFO, {"CallId": NOBODY}) == 60011


@covers("rest-code:101001")
async def test_a_service_that_fails_says_so_and_not_why(
    rig: Rig, back_end: BackEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(app_id: int, call_id: str) -> None:
        raise ValueError("secret of the house")

    monkeypatch.setattr(rig.service.control, "live", broken)
    reply = await back_end.post(INFO, {"CallId": NOBODY})
    assert reply["ErrorCode"] == 101001
    assert "house" not in reply["ErrorInfo"]


# --- calls --------------------------------------------------------------------------


@covers(
    "rest:get_call_info",
    "rest:get_call_info.CallInfo.CallId",
    "rest:get_call_info.CallInfo.MediaType",
    "rest:get_call_info.CallInfo.ChatGroupId",
    "rest:get_call_info.CallInfo.RoomId",
    "rest:get_call_info.CallInfo.RoomIdType",
    "rest:get_call_info.CallInfo.UserList",
    "rest:get_call_info.CallInfo.UserList.User_Account",
    "rest:get_call_info.CallInfo.UserList.Status",
    "member:Calling",
    "member:Waiting",
    "rest-code:101004",
    "envelope:ActionStatus",
    "envelope:ErrorCode",
    "envelope:ErrorInfo",
    "envelope:RequestId",
)
async def test_a_live_call_is_shown_with_its_members(rig: Rig, back_end: BackEnd) -> None:
    async with rig.login("anna") as anna, rig.login("ben") as ben:
        call_id = await call(anna, "ben", roomId="lobby 7", chatGroupId="g1")
        info = (await back_end.ok(INFO, {"CallId": call_id}))["Response"]["CallInfo"]
        assert info == {
            "CallId": call_id,
            "MediaType": "Video",
            "ChatGroupId": "g1",
            "RoomId": "lobby 7",
            "RoomIdType": 2,
            "UserList": [
                {"User_Account": "anna", "Status": "Calling"},
                {"User_Account": "ben", "Status": "Waiting"},
            ],
        }
        await ben.ok("accept", callId=call_id)
        info = (await back_end.ok(INFO, {"CallId": call_id}))["Response"]["CallInfo"]
        assert [user["Status"] for user in info["UserList"]] == ["Calling", "Calling"]
        await anna.ok("hangup", callId=call_id)
        assert await back_end.code(INFO, {"CallId": call_id}) == 101004


@covers("rest:end_call")
@pytest.mark.parametrize("answered", [False, True])
async def test_a_call_is_ended_for_everybody(rig: Rig, back_end: BackEnd, answered: bool) -> None:
    async with rig.login("anna") as anna, rig.login("ben") as ben:
        call_id = await call(anna, "ben")
        await ben.event("onCallReceived")
        if answered:
            await ben.ok("accept", callId=call_id)
        await back_end.ok(END, {"CallId": call_id})
        for side in (anna, ben):
            ended = "onCallEnd" if answered else "onCallNotConnected"
            assert (await _until(side, ended))["reason"] == 9
        assert await back_end.code(END, {"CallId": call_id}) == 101004
        record = (await back_end.ok(RECORD, {"CallId": call_id}))["Response"]["CallRecord"]
        assert record["CallResult"] == ("NormalEnd" if answered else "Interrupt")
        assert record["EndReason"] == 9


@covers("rest:DismissRoom", "rest:DismissRoomByStrRoomId")
async def test_a_room_is_dismissed_by_number_or_name_and_they_differ(rig: Rig, back_end: BackEnd) -> None:
    async with rig.login("anna") as anna, rig.login("ben"), rig.login("cleo") as cleo, rig.login("dan"):
        by_number = await call(anna, "ben", roomId=123)
        by_name = await call(cleo, "dan", roomId="123")
        await back_end.ok("call_engine_http_srv/DismissRoom", {"RoomId": 123})
        assert await back_end.code(INFO, {"CallId": by_number}) == 101004
        await back_end.ok(INFO, {"CallId": by_name})
        await back_end.ok("call_engine_http_srv/DismissRoomByStrRoomId", {"RoomId": "123"})
        assert await back_end.code(INFO, {"CallId": by_name}) == 101004
        assert await back_end.code("call_engine_http_srv/DismissRoom", {"RoomId": 123}) == 101004
        assert await back_end.code("call_engine_http_srv/DismissRoom", {"RoomId": "123"}) == 101002


# --- records ------------------------------------------------------------------------


@covers(
    "rest:get_record_by_callid",
    "rest:get_record_by_callid.CallRecord.CallId",
    "rest:get_record_by_callid.CallRecord.Caller_Account",
    "rest:get_record_by_callid.CallRecord.MediaType",
    "rest:get_record_by_callid.CallRecord.CallType",
    "rest:get_record_by_callid.CallRecord.StartTime",
    "rest:get_record_by_callid.CallRecord.EndTime",
    "rest:get_record_by_callid.CallRecord.AcceptTime",
    "rest:get_record_by_callid.CallRecord.CallResult",
    "rest:get_record_by_callid.CallRecord.CalleeList_Account",
    "rest:get_record_by_callid.CallRecord.RoomId",
    "rest:get_record_by_callid.CallRecord.RoomIdType",
    "call-type:SingleCall",
    "result:NormalEnd",
    "rest-code:101050",
)
async def test_a_record_tells_the_whole_call(rig: Rig, back_end: BackEnd, now: FakeNow) -> None:
    async with rig.login("anna") as anna, rig.login("ben") as ben:
        began = now.at
        call_id = await call(anna, "ben", roomId=77)
        assert await back_end.code(RECORD, {"CallId": call_id}) == 101050, "not over yet"
        now.at += 5
        await ben.ok("accept", callId=call_id)
        now.at += 60
        await anna.ok("hangup", callId=call_id)
        record = (await back_end.ok(RECORD, {"CallId": call_id}))["Response"]["CallRecord"]
        assert record == {
            "CallId": call_id,
            "Caller_Account": "anna",
            "MediaType": "Video",
            "CallType": "SingleCall",
            "StartTime": int(began),
            "AcceptTime": int(began) + 5,
            "EndTime": int(began) + 65,
            "CallResult": "NormalEnd",
            "EndReason": 1,
            "CalleeList_Account": ["anna", "ben"],
            "RoomId": "77",
            "RoomIdType": 1,
        }


@covers(
    "rest:get_record_by_filter",
    "rest:get_record_by_filter.TotalNum",
    "rest:get_record_by_filter.Page",
    "rest:get_record_by_filter.CallRecordList",
    "ask:get_record_by_filter.StartTime",
    "ask:get_record_by_filter.EndTime",
    "ask:get_record_by_filter.NumberPerPage",
    "ask:get_record_by_filter.Page",
    "ask:get_record_by_filter.CallResult",
    "ask:get_record_by_filter.CallType",
)
async def test_records_by_filter(rig: Rig, back_end: BackEnd, now: FakeNow) -> None:
    made = []
    async with rig.login("anna") as anna, rig.login("ben") as ben:
        for number in range(5):
            call_id = await call(anna, "ben")
            await ben.event("onCallReceived")
            if number % 2:
                await ben.ok("reject", callId=call_id)
            else:
                await anna.ok("hangup", callId=call_id)
            await _until(ben, "onCallNotConnected")
            made.append((call_id, int(now.at), "Reject" if number % 2 else "Cancel"))
            now.at += 100
        newest_first = [each[0] for each in reversed(made)]

        async def ids(**wanted: object) -> tuple[list[str], int, int]:
            found = (await back_end.ok(RECORDS, wanted))["Response"]
            return [each["CallId"] for each in found["CallRecordList"]], found["TotalNum"], found["Page"]

        assert await ids() == (newest_first, 5, 0)
        assert await ids(NumberPerPage=2) == (newest_first[:2], 5, 1)
        assert await ids(NumberPerPage=2, Page=2) == (newest_first[2:4], 5, 2)
        assert await ids(NumberPerPage=2, Page=3) == (newest_first[4:], 5, 0)
        assert await ids(NumberPerPage=2, Page=9) == ([], 5, 0)
        assert await ids(StartTime=made[3][1]) == (newest_first[:2], 2, 0)
        assert await ids(EndTime=made[1][1]) == (newest_first[3:], 2, 0)
        rejected = [call_id for call_id, _, result in reversed(made) if result == "Reject"]
        assert await ids(CallResult="Reject", CallType="SingleCall") == (rejected, 2, 0)
        assert await ids(CallType="MultiCall") == ([], 0, 0)
        now.at += 7 * 24 * 3600 - 250
        assert (await ids(StartTime=0))[1] == 2, "of the last seven days only"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"CallResult": "Gone"}, {"CallType": "Group"}, {"NumberPerPage": 0}, {"NumberPerPage": 101}),
        *({"Page": 0}, {"Page": True}, {"Page": 2**63}, {"StartTime": "soon"}, {"EndTime": -1}),
    ],
)
async def test_a_filter_that_makes_no_sense(back_end: BackEnd, wrong: Json) -> None:
    reply = await back_end.post(RECORDS, wrong)
    assert reply["ErrorCode"] == 101002
    assert next(iter(wrong)) in reply["ErrorInfo"]


# --- accounts -----------------------------------------------------------------------


@covers(
    "rest:account_import",
    "rest:multiaccount_import",
    "rest:multiaccount_import.FailAccounts",
    "rest:account_check",
    "rest:account_check.ResultItem",
    "rest:account_check.ResultItem.AccountStatus",
    "rest:account_delete",
    "rest:account_delete.ResultItem",
    "rest:account_delete.ResultItem.ResultCode",
)
async def test_accounts_come_in_are_changed_and_go(rig: Rig, back_end: BackEnd) -> None:
    await back_end.ok(
        "im_open_login_svc/account_import", {"UserID": "anna", "Nick": "Anna", "FaceUrl": "a.png"}
    )
    await back_end.ok("im_open_login_svc/account_import", {"UserID": "anna", "Nick": "Änne"})
    reply = await back_end.ok(
        "im_open_login_svc/multiaccount_import",
        {
            "AccountList": [
                {"UserID": "ben"},
                {"UserID": "not allowed"},
                {"Nick": "nobody"},
                {"UserID": "cleo"},
            ]
        },
    )
    assert reply["FailAccounts"] == ["not allowed", ""]
    checked = await back_end.ok(
        "im_open_login_svc/account_check", {"CheckItem": [{"UserID": each} for each in ("anna", "dan")]}
    )
    assert checked["ResultItem"] == [
        {"UserID": "anna", "ResultCode": 0, "ResultInfo": "", "AccountStatus": "Imported"},
        {"UserID": "dan", "ResultCode": 0, "ResultInfo": "", "AccountStatus": "NotImported"},
    ]
    (anna,) = [user for user in await rig.service.accounts.users(DEFAULT_APP_ID) if user.user_id == "anna"]
    assert (anna.nickname, anna.avatar) == ("Änne", "a.png")
    gone = await back_end.ok(
        "im_open_login_svc/account_delete", {"DeleteItem": [{"UserID": "ben"}, {"UserID": "dan"}]}
    )
    assert [item["ResultCode"] for item in gone["ResultItem"]] == [0, 70107]
    assert await back_end.code("im_open_login_svc/account_import", {"UserID": "x y"}) == 70402


async def test_an_account_that_is_deleted_leaves_its_call(rig: Rig, back_end: BackEnd) -> None:
    async with rig.login("anna") as anna, rig.login("ben") as ben:
        call_id = await call(anna, "ben")
        await ben.ok("accept", callId=call_id)
        await back_end.ok("im_open_login_svc/account_delete", {"DeleteItem": [{"UserID": "ben"}]})
        assert (await _until(anna, "onCallEnd"))["userId"] == "ben"
        assert (await ben.message("bye"))["code"] == 6014


# --- profiles and presence ------------------------------------------------------------


@covers("rest:portrait_set", "rest:portrait_get", "rest:portrait_get.UserProfileItem")
async def test_profiles_are_set_and_read(back_end: BackEnd) -> None:
    await back_end.ok("im_open_login_svc/account_import", {"UserID": "id1"})
    await back_end.ok("im_open_login_svc/account_import", {"UserID": "id2"})
    items = {
        "Tag_Profile_IM_Nick": "NickNameTest1",
        "Tag_Profile_IM_AllowType": "AllowType_Type_NeedConfirm",
        "Tag_Profile_IM_SelfSignature": "I'm Test1",
        "Tag_Profile_IM_Level": 7,
        "Tag_Profile_Custom_Test": "Custom Data1",
    }
    reply = await back_end.ok("profile/portrait_set", _portrait("id1", items))
    assert reply["ErrorDisplay"] == ""
    reply = await back_end.ok(
        "profile/portrait_get", {"To_Account": ["id1", "id2"], "TagList": [*items, "Tag_Profile_IM_Role"]}
    )
    one, two = reply["UserProfileItem"]
    assert {item["Tag"]: item["Value"] for item in one["ProfileItem"]} == items
    assert (one["To_Account"], one["ResultCode"], one["ResultInfo"]) == ("id1", 0, "")
    assert {item["Tag"]: item["Value"] for item in two["ProfileItem"]} == {"Tag_Profile_IM_Nick": ""}


@pytest.mark.parametrize(
    ("tag", "value", "code"),
    [
        ("Tag_Profile_IM_Nack", "x", 40009),
        ("Tag_Profile_Custom_TooLongName", "x", 40009),
        ("Tag_Profile_IM_Nick", 7, 40610),
        ("Tag_Profile_IM_Level", "7", 40610),
        ("Tag_Profile_IM_Level", -1, 40605),
        ("Tag_Profile_IM_Level", 2**32, 40605),
        ("Tag_Profile_IM_Gender", "other", 40605),
        ("Tag_Profile_IM_Nick", "ä" * 251, 40601),
        ("Tag_Profile_IM_Nick", None, 40001),
        ("Tag_Profile_IM_Level", 1.5, 40001),
    ],
)
async def test_a_profile_that_does_not_fit_changes_nothing(
    back_end: BackEnd, tag: str, value: object, code: int
) -> None:
    await back_end.ok("im_open_login_svc/account_import", {"UserID": "id1", "Nick": "before"})
    items = {"Tag_Profile_IM_Image": "after", tag: value}
    assert await back_end.code("profile/portrait_set", _portrait("id1", items)) == code
    reply = await back_end.ok(
        "profile/portrait_get",
        {"To_Account": ["id1"], "TagList": ["Tag_Profile_IM_Nick", "Tag_Profile_IM_Image"]},
    )
    values = [item["Value"] for item in reply["UserProfileItem"][0]["ProfileItem"]]
    assert values == ["before", ""]


async def test_profiles_of_nobody(back_end: BackEnd) -> None:
    nick = {"Tag_Profile_IM_Nick": "x"}
    assert await back_end.code("profile/portrait_set", _portrait("nobody", nick)) == 40003
    asked = {"To_Account": ["nobody"], "TagList": list(nick)}
    assert await back_end.code("profile/portrait_get", asked) == 40003
    assert await back_end.code("profile/portrait_get", asked | {"To_Account": []}) == 40002
    assert await back_end.code("profile/portrait_get", asked | {"TagList": ["Tag_No"]}) == 40009


@covers(
    "rest:query_online_status",
    "rest:query_online_status.QueryResult",
    "rest:query_online_status.QueryResult.Status",
    "rest:query_online_status.ErrorList",
)
async def test_who_is_online(rig: Rig, back_end: BackEnd) -> None:
    await back_end.ok("im_open_login_svc/account_import", {"UserID": "ben"})
    async with rig.login("anna", platform="linux"):
        reply = await back_end.ok(
            "openim/query_online_status", {"IsNeedDetail": 1, "To_Account": ["anna", "ben", "dan"]}
        )
    assert reply["QueryResult"] == [
        {"To_Account": "anna", "Status": "Online", "Detail": [{"Platform": "linux", "Status": "Online"}]},
        {"To_Account": "ben", "Status": "Offline", "Detail": []},
    ]
    assert reply["ErrorList"] == [{"To_Account": "dan", "ErrorCode": 70107}]
    reply = await back_end.ok("openim/query_online_status", {"To_Account": ["ben"]})
    assert reply["QueryResult"] == [{"To_Account": "ben", "Status": "Offline"}]
    assert "ErrorList" not in reply


# --- what describes it ------------------------------------------------------------------


async def test_every_command_is_in_the_openapi_document(rig: Rig) -> None:
    async with aiohttp.ClientSession(rig.http) as http, http.get("/openapi.json") as reply:
        document = await reply.json()
    paths = document["paths"]
    for command in (INFO, END, RECORD, RECORDS, "profile/portrait_set", "im_open_login_svc/account_import"):
        operation = paths[f"/v4/{command}"]["post"]
        assert operation["requestBody"]["content"]["application/json"]["schema"]
        assert operation["tags"] == [command.partition("/")[0]]


def _portrait(user: str, items: Json) -> Json:
    profile = [{"Tag": tag, "Value": value} for tag, value in items.items()]
    return {"From_Account": user, "ProfileItem": profile}


async def _until(client: Client, name: str) -> Json:
    """The data of the next event of that name; those before it are passed over."""
    while True:
        event = await client.message("event")
        client.seq = event["seq"]
        if event["event"] == name:
            data: Json = event["data"]
            return data


# --- statistics and devices -------------------------------------------------------


async def one_call(rig: Rig, caller: Client, callee: Client, now: FakeNow, connected_s: float) -> None:
    call_id = await call(caller, callee.user_id)
    await callee.ok("accept", callId=call_id)
    now.at += connected_s
    await caller.ok("hangup", callId=call_id)


async def test_statistics_are_those_of_the_records(rig: Rig, back_end: BackEnd, now: FakeNow) -> None:
    command = "call_statistics_http_srv/get_statistics"
    empty = (await back_end.ok(command))["Response"]
    assert (empty["CallNum"], empty["MaxConcurrentNum"], empty["DayList"]) == (0, 0, [])
    midnight = now.at = 1_800_000_000 // 86400 * 86400 + 86400.0
    await rig.service.accounts.add_user(DEFAULT_APP_ID, "eve")
    async with (
        rig.login("anna") as anna,
        rig.login("ben") as ben,
        rig.login("carl") as carl,
        rig.login("dora") as dora,
    ):
        now.at += 3600
        await one_call(rig, anna, ben, now, 60)
        first = await call(anna, "ben")
        await ben.ok("accept", callId=first)
        second = await call(carl, "dora")
        await dora.ok("accept", callId=second)
        now.at += 100
        await anna.ok("hangup", callId=first)
        await carl.ok("hangup", callId=second)
        now.at += 86400
        unanswered = await call(anna, "eve")
        await anna.ok("hangup", callId=unanswered)
        live = await call(carl, "dora")
        told = (await back_end.ok(command))["Response"]
        assert (told["CallNum"], told["AnsweredNum"], told["UserNum"]) == (4, 3, 4)
        assert (told["MaxConcurrentNum"], told["LiveNum"]) == (2, 1)
        assert (told["Duration"], told["MaxDuration"]) == (260, 100)
        assert {name: number for name, number in told["ResultNum"].items() if number} == {
            "NormalEnd": 3,
            "Cancel": 1,
        }
        assert [(day["Time"] - midnight, day["CallNum"], day["AnsweredNum"]) for day in told["DayList"]] == [
            (0, 3, 3),
            (86400, 1, 0),
        ]
        later = (await back_end.ok(command, {"StartTime": int(midnight) + 86400, "UtcOffset": 7200}))[
            "Response"
        ]
        assert [(day["Time"] - midnight, day["CallNum"]) for day in later["DayList"]] == [(79200, 1)]
        assert (await back_end.ok(command, {"CallType": "MultiCall"}))["Response"]["CallNum"] == 0
        await carl.ok("hangup", callId=live)


async def test_devices_are_listed_with_what_they_run(rig: Rig, back_end: BackEnd, now: FakeNow) -> None:
    began = int(now.at)
    async with rig.login("kiosk", "k1", platform="linux", version="1.2", model="Lobby"):
        async with rig.login("kiosk", "k2", platform="web", version="1.1") as other:
            now.at += 50
            await other.ok("logout")
            await other.closed.wait()
        first = (await back_end.ok("device_http_srv/get_devices", {"NumberPerPage": 1}))["Response"]
        second = (await back_end.ok("device_http_srv/get_devices", {"NumberPerPage": 1, "Page": 2}))[
            "Response"
        ]
    assert (first["TotalNum"], first["Page"], second["Page"]) == (2, 1, 0)
    assert first["DeviceList"] == [
        {
            "UserID": "kiosk",
            "DeviceID": "k1",
            "Platform": "linux",
            "Version": "1.2",
            "Model": "Lobby",
            "Address": "127.0.0.1",
            "Online": True,
            "FirstSeenTime": began,
            "LastSeenTime": began,
        }
    ]
    (left,) = second["DeviceList"]
    assert (left["DeviceID"], left["Online"], left["LastSeenTime"]) == ("k2", False, began + 50)


async def test_the_commands_can_be_read_and_tried_on_a_page_of_the_services_own(rig: Rig) -> None:
    async with aiohttp.ClientSession(rig.http) as http:
        async with http.get("/docs") as page:
            text = await page.text()
        assert "https://" not in text.replace("https://fastapi.tiangolo.com", "")
        for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
            assert f"/docs/static/{name}" in text
            async with http.get(f"/docs/static/{name}") as part:
                assert part.status == 200
        async with http.get("/openapi.json") as document:
            parameters = (await document.json())["paths"][f"/v4/{INFO}"]["post"]["parameters"]
    assert {each["name"] for each in parameters} == {
        *("sdkappid", "identifier", "usersig", "random", "contenttype"),
    }
