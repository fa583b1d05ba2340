# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever comes over REST or the WebSocket is answered with a known code, never with a failure of ours."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import connect

from callagent.protocol.errors import ErrorCode
from callagent.protocol.requests import PROTOCOL_VERSION, REQUEST_TYPES, Hello
from callagent.server.accounts import ADMINISTRATOR
from callagent.server.rest.contract import RestCode
from tests.programs import APP_ID, Service

INTERNAL = {
    RestCode.CALL_INTERNAL,
    RestCode.CONFIG_INTERNAL,
    RestCode.PROFILE_INTERNAL,
    RestCode.ACCOUNT_INTERNAL,
    RestCode.TIMED_OUT,
}
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(
        tmp_path_factory.mktemp("fuzzed"), limits={"requests_per_s": 100_000, "calls_per_minute": 1e6}
    )
    asyncio.run(made.start())
    try:
        yield made
    finally:
        asyncio.run(made.program.stop())
    assert "Traceback" not in made.program.tail(10_000)


def test_rest(service: Service) -> None:
    """Every command, with bodies that fit its schema and bodies that do not."""
    described = schemathesis.openapi.from_url(f"{service.http_url}/openapi.json")
    query = {
        "sdkappid": str(APP_ID),
        "identifier": ADMINISTRATOR,
        "usersig": service.ticket(ADMINISTRATOR),
        "random": "7",
        "contenttype": "json",
    }
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    commands = 0
    for found in described.include(path_regex="^/v4/").get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        commands += 1

        @settings(UNHURRIED, max_examples=30)
        @given(case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes)))
        def check(case: Any) -> None:
            case.query = query
            answer = case.call()
            assert answer.status_code == 200
            envelope = answer.json()
            assert {"ActionStatus", "ErrorCode", "ErrorInfo", "RequestId"} <= envelope.keys()
            code = RestCode(envelope["ErrorCode"])
            assert code not in INTERNAL, envelope
            assert (code == 0) == (envelope["ActionStatus"] == "OK") == (envelope["ErrorInfo"] == "")

        check()
    assert commands > 15


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
    st.sampled_from(["bea", "0" * 16, "055662e1-bc8a-469c-a334-1126c8c17d58", APP_ID, 1, 2, 30]),
)
ANYTHING = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted(
    {f.alias or n for m in REQUEST_TYPES.values() for n, f in m.model_fields.items()} - {"id", "type"}
)
HELLO_NAMES = sorted({field.alias or name for name, field in Hello.model_fields.items()} - {"id", "type"})


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Some type that there is, with some fields that there are, and anything in them."""
    kind = draw(st.sampled_from([name for name in sorted(REQUEST_TYPES) if name != "logout"]))
    fields = draw(st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=5))
    return {"type": kind, **fields}


@settings(UNHURRIED, max_examples=150)
@given(messages=st.lists(requests(), min_size=1, max_size=8))
def test_signalling(service: Service, messages: list[dict[str, Any]]) -> None:
    with connect(f"ws://127.0.0.1:{service.http_port}/v1/signal", compression=None) as channel:
        hello = {"protocol": PROTOCOL_VERSION, "sdkAppId": APP_ID, "userId": "anna", "deviceId": "fuzz"}
        channel.send(json.dumps({"type": "hello", "id": 1, "userSig": service.ticket("anna"), **hello}))
        for number, message in enumerate(messages, 2):
            channel.send(json.dumps({"id": number, **message}))
        channel.send(json.dumps({"type": "ping", "id": 1000}))
        answered: dict[int, int] = {}
        while 1000 not in answered or len(answered) < len(messages) + 2:
            answer = json.loads(channel.recv(timeout=20))
            if answer["type"] == "reply":
                assert answer["id"] not in answered, "answered twice"
                answered[answer["id"]] = answer["code"]
        for number, code in answered.items():
            assert ErrorCode(code) is not ErrorCode.SERVER_INTERNAL, (number, messages)


@settings(UNHURRIED, max_examples=100)
@given(fields=st.dictionaries(st.sampled_from(HELLO_NAMES), ANYTHING, max_size=5), ticket=st.booleans())
def test_hello(service: Service, fields: dict[str, Any], ticket: bool) -> None:
    """Answered once: with a session, or with the reason and a bye."""
    hello = {"protocol": PROTOCOL_VERSION, "sdkAppId": APP_ID, "userId": "anna", "deviceId": "fuzz"}
    if ticket:
        hello["userSig"] = service.ticket("anna")
    with connect(f"ws://127.0.0.1:{service.http_port}/v1/signal", compression=None) as channel:
        channel.send(json.dumps(hello | fields | {"type": "hello", "id": 1}))
        answer = json.loads(channel.recv(timeout=20))
        assert (answer["type"], answer["id"]) == ("reply", 1)
        code = ErrorCode(answer["code"])
        assert code is not ErrorCode.SERVER_INTERNAL, fields
        if code is not ErrorCode.OK and code is not ErrorCode.MALFORMED_MESSAGE:
            assert json.loads(channel.recv(timeout=20)) | {"message": ""} == {
                "type": "bye",
                "code": code,
                "message": "",
            }
