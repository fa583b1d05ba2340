# SPDX-License-Identifier: GPL-3.0-or-later
"""A back end that speaks REST v4 as its documents say: only HTTP, nothing of ours."""

import json
import random
from typing import Any

import aiohttp

Json = dict[str, Any]


class BackEnd:
    """One administrator on one host."""

    def __init__(self, http: aiohttp.ClientSession, app_id: int, identifier: str, usersig: str) -> None:
        self._http = http
        self.query = {
            "sdkappid": str(app_id),
            "identifier": identifier,
            "usersig": usersig,
            "random": str(random.randrange(2**32)),
            "contenttype": "json",
        }

    async def post(self, command: str, body: object = None, **query: str | None) -> Json:
        """The whole reply; `query` changes or, with None, leaves out parameters of the URL."""
        return await self.send(command, json.dumps({} if body is None else body).encode(), **query)

    async def send(self, command: str, body: bytes, **query: str | None) -> Json:
        changed = {name: value for name, value in (self.query | query).items() if value is not None}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with self._http.post(f"/v4/{command}", params=changed, data=body, headers=headers) as reply:
            assert reply.status == 200
            found: Json = await reply.json()
        assert found["ActionStatus"] == ("OK" if found["ErrorCode"] == 0 else "FAIL"), found
        assert found["RequestId"].startswith("Id-")
        return found

    async def ok(self, command: str, body: object = None) -> Json:
        """The reply, which must be good."""
        reply = await self.post(command, body)
        assert (reply["ErrorCode"], reply["ErrorInfo"]) == (0, ""), reply
        return reply

    async def code(self, command: str, body: object = None, **query: str | None) -> int:
        """Of a refusal, which must say why."""
        reply = await self.post(command, body, **query)
        assert reply["ErrorInfo"], reply
        code: int = reply["ErrorCode"]
        return code
