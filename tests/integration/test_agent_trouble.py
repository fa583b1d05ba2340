# SPDX-License-Identifier: GPL-3.0-or-later
"""What an integrator does wrong, or a site does to a kiosk: a clear line, and going on where that helps."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from callagent.client import AgentClient
from callagent.protocol import control as api
from callagent.protocol.enums import CallState, LoginState, MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from tests.programs import Kiosk, Service, running, until


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    service = Service(tmp_path)
    async with running(service):
        yield service


def callagent(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "callagent", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("identity: {user: a, usersig: x}\nvidio: {}\n", ":2:1: vidio: unknown key; did you mean video?"),
        (
            "identity: {user: a, usersig: x}\ncamera: {fps: many}\n",
            ":2:15: camera.fps: must be a whole number",
        ),
        ("identity: {user: a\n", ":2:1: "),
    ],
)
def test_a_wrong_configuration_ends_with_78(tmp_path: Path, text: str, place: str) -> None:
    """systemd leaves an agent down that ended with 78: it would only fail again."""
    file = tmp_path / "callagent.yaml"
    file.write_text(text)
    done = callagent("run", "-c", str(file))
    assert done.returncode == 78
    assert f"{file}{place}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_ends_with_78(tmp_path: Path) -> None:
    done = callagent("run", "-c", str(tmp_path / "none.yaml"))
    assert done.returncode == 78
    assert str(tmp_path / "none.yaml") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_device_key_ends_with_78(tmp_path: Path) -> None:
    file = tmp_path / "callagent.yaml"
    file.write_text(
        f"identity: {{device_key_file: {tmp_path}/key}}\ncontrol: {{socket: {tmp_path}/a.sock}}\n"
    )
    done = callagent("run", "-c", str(file))
    assert done.returncode == 78
    assert f"{tmp_path}/key" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_service_comes_later(tmp_path: Path) -> None:
    """A kiosk that was switched on before its service logs in by itself, and says meanwhile what is wrong."""
    service = Service(tmp_path)
    async with running(service):
        ticket = service.ticket("lobby")
        await service.program.stop()
        kiosk = Kiosk("lobby", ticket, service.http_url, tmp_path)
        kiosk.program.launch()
        try:
            status = await kiosk.until(lambda status: bool(status.login_reason), "no reason given")
            assert status.login is not LoginState.ONLINE
            assert str(service.http_port) in status.login_reason
            assert status.problems[0] == status.login_reason
            async with kiosk.client() as control:
                with pytest.raises(CallAgentError) as refused:
                    await control.call(["anybody"])
            assert refused.value.code is ErrorCode.INIT_FAIL
            await service.start()
            await kiosk.until(lambda status: status.login is LoginState.ONLINE, "not online", 30)
        finally:
            await kiosk.program.stop()


async def test_a_second_agent_on_the_same_socket_says_so(service: Service) -> None:
    ticket = service.ticket("lobby")
    kiosk = Kiosk("lobby", ticket, service.http_url, service.folder)
    async with running(kiosk):
        second = await asyncio.to_thread(callagent, "run", "-c", str(kiosk.config))
        assert second.returncode == 1
        assert f"another agent listens on {kiosk.socket}" in second.stderr
        assert "Traceback" not in second.stderr
        assert (await kiosk.until_state("idle")).login is LoginState.ONLINE
        kiosk.program.kill()
        assert kiosk.socket.exists()
        await kiosk.start()  # what a killed agent left behind is in nobody's way


async def test_no_devices_at_all_prevent_no_call(service: Service) -> None:
    """Behaviour.md, what users hit, 1: no camera must not make a call fail."""
    none: dict[str, Any] = {
        "camera": {"device": [{"path": "/dev/v4l/by-id/usb-none"}]},
        "microphone": {"device": "none"},
        "speaker": {"device": "none"},
    }
    bare = Kiosk("bare", service.ticket("bare"), service.http_url, service.folder, **none)
    peer = Kiosk("peer", service.ticket("peer"), service.http_url, service.folder)
    async with running(bare, peer):
        async with peer.client() as control:
            await control.call(["bare"])
        await bare.until_state("ringing")
        async with bare.client() as control:
            await control.answer()
        status = await bare.until(
            lambda status: status.slots["camera"].state is api.SlotState.ABSENT, "the camera is not absent"
        )
        reason = status.slots["camera"].reason
        assert reason.startswith("No camera")
        assert f"camera: {reason}" in status.problems

        async def slate_arrives() -> bool:
            status = await peer.status()
            return status is not None and status.media["screen"]["pictures"] >= 5

        await until(slate_arrives, 15, peer.program.tail)


async def test_commands_in_the_wrong_state_leave_the_call_alone(service: Service) -> None:
    anna = Kiosk("anna", service.ticket("anna"), service.http_url, service.folder)
    ben = Kiosk("ben", service.ticket("ben"), service.http_url, service.folder)
    async with running(anna, ben):
        async with anna.client() as control:
            for command in (control.answer(), control.reject(), control.hangup(), control.set_camera(True)):
                with pytest.raises(CallAgentError) as refused:
                    await command
                assert refused.value.code is ErrorCode.REQUEST_REFUSED
            for wrong, code in (
                ([], ErrorCode.PARAM_INVALID),
                (["anna"], ErrorCode.PARAM_INVALID),
                (["not a name"], ErrorCode.PARAM_INVALID),
                (["nobody"], ErrorCode.USER_NEVER_LOGGED_IN),
            ):
                with pytest.raises(CallAgentError) as refused:
                    await control.call(wrong)
                assert refused.value.code is code, wrong
            await control.call(["ben"], media_type=MediaType.AUDIO)
            await ben.until_state("ringing")
            with pytest.raises(CallAgentError) as refused:
                await control.call(["ben"])
            assert refused.value.code is ErrorCode.REQUEST_REFUSED
        assert (await anna.status() or pytest.fail("no status")).state is CallState.CALLING
        assert (await ben.status() or pytest.fail("no status")).state is CallState.RINGING


async def test_the_service_names_a_port_that_is_taken(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with socket.create_server(("0.0.0.0", service.https_port)):
        began = time.monotonic()
        done = await asyncio.to_thread(callagent, "serve", "-c", str(service.config))
    assert time.monotonic() - began < 20
    assert done.returncode == 1
    assert f"https://0.0.0.0:{service.https_port}: the port is taken" in done.stderr
    assert "Traceback" not in done.stderr


async def test_bad_requests_on_the_control_socket(service: Service) -> None:
    import aiohttp

    kiosk = Kiosk("lobby", service.ticket("lobby"), service.http_url, service.folder)
    async with running(kiosk):
        connector = aiohttp.UnixConnector(str(kiosk.socket))
        async with aiohttp.ClientSession("http://agent", connector=connector) as web:
            for body, field in ((b"{", None), (b"[]", None), (b'{"userIdList": "ben"}', "userIdList")):
                async with web.post(api.CALL_PATH, data=body) as answer:
                    assert answer.status == 400
                    error = api.ErrorData.model_validate(await answer.json())
                    assert (error.code != 0, error.field) == (True, field)
            async with web.post(api.CALL_PATH, data=b"x" * (2 * api.MAX_BODY_BYTES)) as answer:
                assert answer.status == 413
                assert api.ErrorData.model_validate(await answer.json()).message
            async with web.get("/v1/none") as answer:
                assert answer.status == 404
                assert api.ErrorData.model_validate(await answer.json()).message
            async with web.get(api.OPENAPI_PATH) as answer:
                assert api.CALL_PATH in (await answer.json())["paths"]
        async with AgentClient(kiosk.socket) as control:
            assert (await control.status()).user_id == "lobby"
