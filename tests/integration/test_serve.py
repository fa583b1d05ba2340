# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service on its ports: TLS, both listeners, starting, stopping, and what goes wrong."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callagent.config import ServerConfig, parse_server_config
from callagent.protocol.errors import ErrorCode
from callagent.server.serve import ServeError, ServeHandle, running_service


def config(folder: Path, **https: Any) -> ServerConfig:
    return parse_server_config(
        {
            "listen": {"https": {"port": 0, **https}, "http": {"port": 0}},
            "storage": {"directory": str(folder)},
        }
    )


def trust(handle: ServeHandle) -> ssl.SSLContext:
    assert handle.ca_path is not None
    return ssl.create_default_context(cafile=handle.ca_path)


async def test_every_address_answers_and_is_trusted(tmp_path: Path) -> None:
    async with running_service(config(tmp_path)) as handle, aiohttp.ClientSession() as client:
        assert handle.urls[-1] == f"http://127.0.0.1:{handle.http_port}/"
        assert f"https://127.0.0.1:{handle.https_port}/" in handle.urls
        for url in (*handle.urls, f"https://localhost:{handle.https_port}/"):
            async with client.get(f"{url}healthz", ssl=trust(handle)) as response:
                assert (response.status, (await response.json())["status"]) == (200, "ok")
            async with client.get(f"{url}ca.crt", ssl=trust(handle)) as response:
                assert handle.ca_path
                assert await response.read() == handle.ca_path.read_bytes()
                assert response.content_type == "application/x-x509-ca-cert"


async def test_signalling_on_both_ports_without_compression(tmp_path: Path) -> None:
    async with running_service(config(tmp_path)) as handle, aiohttp.ClientSession() as client:
        for url in (f"https://127.0.0.1:{handle.https_port}", f"http://127.0.0.1:{handle.http_port}"):
            async with client.ws_connect(f"{url}/v1/signal", ssl=trust(handle), compress=15) as channel:
                assert channel.compress == 0
                await channel.send_json({"type": "ping", "id": 1})
                reply = await channel.receive_json(timeout=10)
                assert (reply["type"], reply["id"], reply["code"]) == ("reply", 1, ErrorCode.NOT_LOGGED_IN)


async def test_stopping_says_bye_and_frees_the_ports(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as client:
        async with running_service(config(tmp_path)) as handle:
            app = (await handle.service.accounts.apps())[0]
            sig = await handle.service.accounts.usersig(app.app_id, "alice")
            channel = await client.ws_connect(f"http://127.0.0.1:{handle.http_port}/v1/signal")
            hello = {"type": "hello", "id": 1, "protocol": 1, "sdkAppId": app.app_id, "userId": "alice"}
            await channel.send_json(hello | {"userSig": sig, "deviceId": "d1"})
            assert (await channel.receive_json(timeout=10))["code"] == 0
            began = time.monotonic()
        assert time.monotonic() - began < 3
        bye = await channel.receive_json(timeout=10)
        assert (bye["type"], bye["code"]) == ("bye", ErrorCode.SERVICE_STOPPING)
        await channel.close()
    for port in (handle.https_port, handle.http_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port or 0), timeout=5)


async def test_the_service_starts_again_on_what_it_stored(tmp_path: Path) -> None:
    async with running_service(config(tmp_path)) as handle:
        app = (await handle.service.accounts.apps())[0]
        secret, ca = await handle.service.accounts.secret(app.app_id), trust(handle)
        await handle.service.accounts.add_user(app.app_id, "alice")
    async with running_service(config(tmp_path)) as handle, aiohttp.ClientSession() as client:
        assert await handle.service.accounts.secret(app.app_id) == secret
        assert [user.user_id for user in await handle.service.accounts.users(app.app_id)] == ["alice"]
        async with client.get(f"https://127.0.0.1:{handle.https_port}/healthz", ssl=ca) as response:
            assert response.status == 200


async def test_a_client_that_reads_nothing_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    async with running_service(config(tmp_path)) as handle:
        idle = socket.create_connection(("127.0.0.1", handle.https_port), timeout=5)
        half = socket.create_connection(("127.0.0.1", handle.http_port or 0), timeout=5)
        half.sendall(b"GET / HTTP/1.1\r\n")
        began = time.monotonic()
    assert time.monotonic() - began < 3.5
    idle.close()
    half.close()


async def test_a_taken_port_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError) as caught:
            async with running_service(config(tmp_path, host="127.0.0.1", port=port)):
                pytest.fail("it must not start")
    assert (
        str(caught.value)
        == f"cannot listen on https://127.0.0.1:{port}: the port is taken by another program"
    )
    async with running_service(config(tmp_path, host="127.0.0.1", port=port)) as handle:
        assert handle.https_port == port


async def test_addresses_storage_and_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cases = [
        (
            config(tmp_path, host="198.51.100.1"),
            "cannot listen on https://198.51.100.1:0: this machine has no such address",
        ),
        (config(tmp_path / "file"), f"{tmp_path}/file/tls: Not a directory"),
        (
            config(tmp_path, certificate=str(tmp_path / "c"), key=str(tmp_path / "k")),
            f"{tmp_path}/c: cannot be read: ",
        ),
        (
            parse_server_config(
                {"storage": {"directory": str(tmp_path), "url": f"sqlite:///{tmp_path}"}}
            ).model_copy(update={"listen": config(tmp_path).listen}),
            "the database cannot be opened: ",
        ),
    ]
    for one, message in cases:
        with pytest.raises(ServeError) as caught:
            async with running_service(one):
                pytest.fail("it must not start")
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


async def test_stop_ends_wait(tmp_path: Path) -> None:
    async with running_service(config(tmp_path)) as handle:
        waiting = asyncio.create_task(handle.wait())
        handle.stop()
        await asyncio.wait_for(waiting, 5)


@pytest.fixture
def service_file(tmp_path: Path) -> Path:
    path = tmp_path / "server.yaml"
    path.write_text(
        "listen: {https: {host: 127.0.0.1, port: 0}, http: {port: 0}}\nstorage: {directory: data}\n"
    )
    return path


@pytest.fixture
def notifications(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(30)
        yield channel


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_tells_systemd_and_ends_on_a_signal(
    service_file: Path, notifications: socket.socket, number: signal.Signals
) -> None:
    environment = os.environ | {"NOTIFY_SOCKET": notifications.getsockname()}
    command = [sys.executable, "-m", "callagent", "serve", "-c", str(service_file)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert notifications.recv(100) == b"READY=1"
        began = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert time.monotonic() - began < 6
    assert notifications.recv(100) == b"STOPPING=1"
    assert output.startswith("The web phone is at https://127.0.0.1:")
    assert "Traceback" not in errors


def test_the_command_names_a_taken_port_and_exits_1(service_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service_file.write_text(
            service_file.read_text().replace("http: {port: 0}", f"http: {{port: {port}}}")
        )
        command = [sys.executable, "-m", "callagent", "serve", "-c", str(service_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert (
        last == f"callagent: cannot listen on http://127.0.0.1:{port}: the port is taken by another program"
    )
    assert "Traceback" not in done.stderr
