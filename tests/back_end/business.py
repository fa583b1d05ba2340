#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A business back end written from the call kit's documents alone, as somebody else's would be.

It knows nothing of callagent: Python's own HTTP and the public library that makes UserSigs. Requests and the
fields looked for are those of the documents' samples, cited as FILE:LINE; only ids and times are of this
run. To try it on another host, change the URL.

    business.py URL SDKAPPID SECRET [CA]

It sets its callback, prints `ready`, follows one call of somebody else's to its end, prints what it did line
by line, and exits 0. The first thing that is not as documented ends it with a sentence.
"""

import http.server
import json
import queue
import random
import ssl
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from TLSSigAPIv2 import TLSSigAPIv2

Json = dict[str, Any]

TIMEOUT_S = 20.0
ENVELOPE = {"ErrorCode": 0, "ErrorInfo": "", "ActionStatus": "OK"}  # 000_2dfb9ec81a38e10e.txt:20333
CALL_INFO = {  # 000_2dfb9ec81a38e10e.txt:20954
    "CallId": str,
    "MediaType": str,
    "ChatGroupId": str,
    "RoomId": str,
    "RoomIdType": int,
    "UserList": list,
}
CALL_USER = {"User_Account": str, "Status": str}  # 000_2dfb9ec81a38e10e.txt:20968
CALL_RECORD = {  # 000_2dfb9ec81a38e10e.txt:20344
    "CallId": str,
    "Caller_Account": str,
    "MediaType": str,
    "CallType": str,
    "StartTime": int,
    "EndTime": int,
    "AcceptTime": int,
    "CallResult": str,
    "CalleeList_Account": list,
    "RoomId": str,
    "RoomIdType": int,
}
STARTED_INFO = {  # 000_2dfb9ec81a38e10e.txt:21603
    "CallId": str,
    "CallMediaType": str,
    "ChatGroupId": str,
    "RoomId": str,
    "RoomIdType": int,
}
CHANGED_USER = {"User_Account": str, "ActionType": str}  # 000_2dfb9ec81a38e10e.txt:22019
CALLBACK_URL = ("SdkAppid", "CallbackCommand", "contenttype", "ClientIP", "OptPlatform")  # ...:21577
TAKEN = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}  # 000_2dfb9ec81a38e10e.txt:21708


class NotAsDocumented(Exception):
    pass


def expect(condition: object, what: str) -> None:
    if not condition:
        raise NotAsDocumented(what)


def fits(found: Json, documented: Mapping[str, type], where: str) -> None:
    for name, kind in documented.items():
        expect(isinstance(found.get(name), kind), f"{where}.{name} is {found.get(name)!r}")


class Calls:
    """The server API: POST https://HOST/v4/SERVICE/COMMAND?... (000_2dfb9ec81a38e10e.txt:19964)."""

    def __init__(self, url: str, app_id: int, secret: str, ca: str | None) -> None:
        self._url, self._app_id = url.rstrip("/"), app_id
        self._sig = TLSSigAPIv2(app_id, secret).gen_sig("administrator")
        self._tls = ssl.create_default_context(cafile=ca)

    def ask(self, command: str, body: Json) -> Json:
        """The reply, whatever its ErrorCode."""
        query = {
            "sdkappid": self._app_id,
            "identifier": "administrator",
            "usersig": self._sig,
            "random": random.randrange(2**32),
            "contenttype": "json",
        }
        request = urllib.request.Request(
            f"{self._url}/v4/{command}?{urlencode(query)}", json.dumps(body).encode(), method="POST"
        )
        tls = self._tls if self._url.startswith("https") else None
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=tls) as reply:
            found: Json = json.loads(reply.read())
        expect(found["RequestId"].startswith("Id-"), f"RequestId is {found['RequestId']}")  # ...:20339
        return found

    def ok(self, command: str, body: Json) -> Json:
        """`Response` of a reply that must be good."""
        found = self.ask(command, body)
        for name, value in ENVELOPE.items():
            expect(found.get(name) == value, f"{command}: {name} is {found.get(name)!r}: {found}")
        response: Json = found.get("Response", {})
        return response


class Callbacks:
    """Where the service tells of calls."""

    def __init__(self, app_id: int) -> None:
        self.told: queue.Queue[Json] = queue.Queue()
        callbacks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body["-query"] = query
                callbacks.told.put(body)
                answer = json.dumps(TAKEN).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._app_id = app_id
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/callback"

    def next(self, command: str) -> Json:
        try:
            body = self.told.get(timeout=TIMEOUT_S)
        except queue.Empty:
            raise NotAsDocumented(f"{command} did not come") from None
        query = body.pop("-query")
        expect(all(query.get(name) for name in CALLBACK_URL), f"the URL of {command} has {query}")
        expect((query["SdkAppid"], query["contenttype"]) == (str(self._app_id), "json"), f"{query}")
        expect(query["CallbackCommand"] == body["CallbackCommand"] == command, f"{command}: {body}")
        expect(abs(body["EventTime"] / 1000 - time.time()) < 60, f"EventTime is {body['EventTime']}")
        return body


def follow(calls: Calls, callbacks: Callbacks) -> None:
    # 000_2dfb9ec81a38e10e.txt:21332
    wanted = [
        "Call.CallbackAfterStartCall",
        "Call.CallbackAfterEndCall",
        "Call.CallbackAfterMemberChanged",
    ]
    calls.ok("call_config/set_callback", {"Url": callbacks.url, "CallbackCommandList": wanted})
    configured = calls.ok("call_config/get_callback", {})  # 000_2dfb9ec81a38e10e.txt:21180
    expect(configured == {"Url": callbacks.url, "CallbackCommandList": wanted}, f"{configured}")
    say("ready")

    started = callbacks.next("Call.CallbackAfterStartCall")
    fits(started["CallInfo"], STARTED_INFO, "CallInfo")
    caller, callee = users(started["UserList"], ("Calling", "Waiting"))  # 000_2dfb9ec81a38e10e.txt:21629
    call_id = started["CallInfo"]["CallId"]
    # 000_2dfb9ec81a38e10e.txt:20925
    live = calls.ok("call_engine_http_srv/get_call_info", {"CallId": call_id})["CallInfo"]
    fits(live, CALL_INFO, "CallInfo")
    expect(users(live["UserList"], ("Calling", "Waiting")) == (caller, callee), f"{live}")
    say("ringing")

    changed = callbacks.next("Call.CallbackAfterMemberChanged")
    expect(changed["CallId"] == call_id, f"{changed}")
    users(changed["UserList"], ("Calling", "Calling"))  # 000_2dfb9ec81a38e10e.txt:21996
    expect(changed["ChangedUserList"] == [{"User_Account": callee, "ActionType": "Accept"}], f"{changed}")
    say("accepted")

    left = callbacks.next("Call.CallbackAfterMemberChanged")
    fits(left["ChangedUserList"][0], CHANGED_USER, "ChangedUserList")
    expect(left["ChangedUserList"][0]["ActionType"] == "HangUp", f"{left}")  # ...:22089
    ended = callbacks.next("Call.CallbackAfterEndCall")["CallRecord"]
    fits(ended, CALL_RECORD, "CallRecord")
    expect((ended["CallId"], ended["CallResult"]) == (call_id, "NormalEnd"), f"{ended}")
    expect(ended["CalleeList_Account"] == [caller, callee], f"{ended}")  # 000_2dfb9ec81a38e10e.txt:20360
    expect(ended["StartTime"] <= ended["AcceptTime"] <= ended["EndTime"], f"{ended}")
    say("ended")

    # 000_2dfb9ec81a38e10e.txt:20313
    record = calls.ok("call_record_http_srv/get_record_by_callid", {"CallId": call_id})["CallRecord"]
    expect(record == ended, f"{record}")
    everything = calls.ok("call_record_http_srv/get_record_by_filter", {})  # 000_2dfb9ec81a38e10e.txt:20513
    expect(everything["TotalNum"] == 1, f"{everything}")
    # 000_2dfb9ec81a38e10e.txt:20571
    body = {
        "StartTime": 0,
        "EndTime": int(time.time()) + 1,
        "CallResult": "NormalEnd",
        "CallType": "SingleCall",
        "NumberPerPage": 2,
        "Page": 1,
    }
    page = calls.ok("call_record_http_srv/get_record_by_filter", body)
    expect(page["CallRecordList"] == [record], f"{page}")
    over = calls.ask("call_engine_http_srv/get_call_info", {"CallId": call_id})
    expect(over["ErrorCode"] == 101004, f"{over}")  # 000_2dfb9ec81a38e10e.txt:21079
    nothing = {"CallId": "055662e1-bc8a-469c-a334-1126c8c17d58"}
    missing = calls.ask("call_record_http_srv/get_record_by_callid", nothing)
    expect(missing["ErrorCode"] == 101050, f"{missing}")  # 000_2dfb9ec81a38e10e.txt:20499
    calls.ok("call_config/delete_callback", {})  # 000_2dfb9ec81a38e10e.txt:21482
    gone = calls.ask("call_config/get_callback", {})
    expect(gone["ErrorCode"] == 100301, f"{gone}")  # 000_2dfb9ec81a38e10e.txt:21275
    say("done")


def users(found: list[Json], statuses: tuple[str, ...]) -> tuple[str, ...]:
    """Their accounts, in the order of the samples: the caller first."""
    for user in found:
        fits(user, CALL_USER, "UserList")
    expect(tuple(user["Status"] for user in found) == statuses, f"UserList is {found}")
    return tuple(user["User_Account"] for user in found)


def say(what: str) -> None:
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


def main() -> int:
    url, app_id, secret, *rest = sys.argv[1:]
    calls = Calls(url, int(app_id), secret, rest[0] if rest else None)
    try:
        follow(calls, Callbacks(int(app_id)))
    except NotAsDocumented as error:
        sys.stderr.write(f"not as documented: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
