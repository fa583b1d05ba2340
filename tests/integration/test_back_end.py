# SPDX-License-Identifier: GPL-3.0-or-later
"""A back end written for the documented API works by changing the host."""

import asyncio
import sys
from pathlib import Path

from tests.programs import APP_ID, Service, running
from tests.unit.server.rig import Client

SCRIPT = Path(__file__).parents[1] / "back_end" / "business.py"
LINE_S = 30.0


async def test_a_back_end_made_from_the_documents_alone(tmp_path: Path) -> None:
    service = Service(tmp_path)
    async with running(service):
        url = f"https://127.0.0.1:{service.https_port}"
        ca = tmp_path / "storage" / "tls" / "ca.crt"
        script = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SCRIPT), url, str(APP_ID), service.secret, str(ca)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            await _one_call(service, script)
            output, said = await script.communicate()
            assert (script.returncode, output.decode().split()[-1:]) == (0, ["done"]), said.decode()
        finally:
            if script.returncode is None:
                script.kill()
                await script.wait()


async def _one_call(service: Service, script: asyncio.subprocess.Process) -> None:
    def client() -> Client:
        return Client(f"ws://127.0.0.1:{service.http_port}/v1/signal")

    async with client() as anna, client() as bea:
        await anna.login("user1", service.ticket("user1"), "d1", platform="linux")
        await bea.login("user2", service.ticket("user2"), "d2", platform="web")
        await said(script, "ready")
        call = await anna.ok("calls", userIdList=["user2"], mediaType=1, roomId="roomid-1434")
        await said(script, "ringing")
        await bea.ok("accept", callId=call["callId"])
        await said(script, "accepted")
        await anna.ok("hangup", callId=call["callId"])
        await said(script, "ended")


async def said(script: asyncio.subprocess.Process, what: str) -> None:
    assert script.stdout is not None
    assert script.stderr is not None
    async with asyncio.timeout(LINE_S):
        line = (await script.stdout.readline()).decode().strip()
    assert line == what, line or (await script.stderr.read()).decode()
