# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the call service can be reached: against real listeners, and each error in its own words."""

import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey

from callagent.agent.doctor import State
from callagent.agent.doctor.service import Answer, ask, clock_check, service_checks
from callagent.config import AgentConfig, parse_agent_config, parse_server_config
from callagent.server.serve import ServeHandle, running_service
from tests.programs import free_port


def config(url: str, **service: Any) -> AgentConfig:
    return parse_agent_config(
        {"identity": {"user": "kiosk", "usersig": "x"}, "service": {"url": url} | service}
    )


def told(settings: AgentConfig, answer: Answer) -> tuple[State, str, str]:
    (check,) = service_checks(settings, answer)
    return check.state, check.text, check.remedy


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[ServeHandle]:
    settings = parse_server_config(
        {
            "listen": {"https": {"port": 0, "host": "127.0.0.1"}, "http": {"port": 0}},
            "storage": {"directory": str(tmp_path)},
        }
    )
    async with running_service(settings) as handle:
        yield handle


@asynccontextmanager
async def web_server(text: str, status: int = 200) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    app = web.Application()
    app.router.add_get("/healthz", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_it_answers_over_https_with_its_ca_and_over_http(service: ServeHandle) -> None:
    settings = config(f"https://127.0.0.1:{service.https_port}", ca=str(service.ca_path))
    answer = await ask(settings)
    assert told(settings, answer)[0] is State.OK
    assert answer.ahead_s is not None
    assert abs(answer.ahead_s) < 5
    settings = config(f"http://127.0.0.1:{service.http_port}")
    state, text, _ = told(settings, await ask(settings))
    assert (state, text) == (
        State.OK,
        f"the call service at http://127.0.0.1:{service.http_port} answers, version {answer.version}",
    )


async def test_its_certificate_is_not_trusted(service: ServeHandle) -> None:
    url = f"https://127.0.0.1:{service.https_port}"
    settings = config(url)
    state, text, remedy = told(settings, await ask(settings))
    assert state is State.PROBLEM
    assert f"{url} cannot be reached: its certificate is not trusted (" in text
    assert f"fetch {url}/ca.crt" in remedy


async def test_the_wrong_scheme_the_wrong_port_the_wrong_server(service: ServeHandle, tmp_path: Path) -> None:
    settings = config(f"https://127.0.0.1:{service.http_port}")
    _, text, remedy = told(settings, await ask(settings))
    assert "TLS fails" in text
    assert "correct service.url" in remedy

    settings = config(f"http://127.0.0.1:{free_port()}")
    _, text, remedy = told(settings, await ask(settings))
    assert "cannot be reached: Connect" in text or "refused" in text.lower()
    assert "nobody listens there" in remedy

    settings = config("https://127.0.0.1:1", ca=str(tmp_path / "absent.crt"))
    _, text, remedy = told(settings, await ask(settings))
    assert "absent.crt holds no certificate authority" in text
    assert remedy == "correct service.ca"

    for text, status in (("<html>", 200), ("[1]", 200), ('{"hello": 1}', 404)):
        async with web_server(text, status) as url:
            settings = config(url)
            state, said, _ = told(settings, await ask(settings))
            assert (state, said) == (
                State.PROBLEM,
                f"what answers at {url} (HTTP {status}) is not a call service",
            )
    async with web_server('{"status": "unavailable", "version": "1"}', 503) as url:
        settings = config(url)
        state, said, remedy = told(settings, await ask(settings))
        assert (state, said) == (State.PROBLEM, f"the call service at {url} is not well (HTTP 503)")
        assert "journalctl -u callagent-server" in remedy


async def test_the_proxy_does_not_answer() -> None:
    settings = config("http://127.0.0.1:9", proxy=f"http://127.0.0.1:{free_port()}")
    _, text, remedy = told(settings, await ask(settings))
    assert f"the proxy {settings.service.proxy} does not answer" in text
    assert remedy == "correct service.proxy"


def connecting(cause: OSError) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(ConnectionKey("h", 1, False, True, None, None, None), cause)


def out_of_date(code: int) -> aiohttp.ClientConnectorCertificateError:
    cause = ssl.SSLCertVerificationError("bad")
    cause.verify_code, cause.verify_message = code, "certificate is not yet valid"
    key = ConnectionKey("h", 1, True, True, None, None, None)
    return aiohttp.ClientConnectorCertificateError(key, cause)


@pytest.mark.parametrize(
    ("error", "text", "remedy"),
    [
        (
            connecting(socket.gaierror(-2, "Name not known")),
            "its name is not known (Name not known)",
            "name server",
        ),
        (
            connecting(OSError(errno.ENETUNREACH, "Network is unreachable")),
            "Network is unreachable",
            "no network",
        ),
        (connecting(OSError(errno.EHOSTUNREACH, "No route to host")), "No route to host", "ip route"),
        (connecting(OSError(errno.ECONNRESET, "Reset")), "Reset", "curl -k"),
        (TimeoutError(), "no answer within 10 s", "firewall"),
        (out_of_date(9), "its certificate is out of date (certificate is not yet valid)", "clocks"),
        (aiohttp.ServerDisconnectedError(), "Server disconnected", "curl -k"),
    ],
)
def test_each_error_in_its_own_words(error: Exception, text: str, remedy: str) -> None:
    settings = config("https://calls.example.org:8443")
    state, said, do = told(settings, Answer(error=error))
    assert state is State.PROBLEM
    assert said == f"https://calls.example.org:8443 cannot be reached: {text}"
    assert remedy in do


@pytest.mark.parametrize(
    ("now", "ahead_s", "state", "text"),
    [
        (86400.0 * 365, None, State.PROBLEM, "before this program was installed"),
        (1.8e9, None, State.OK, "the clock says 2027-01-15 08:00:00 UTC"),
        (1.8e9, 1.0, State.OK, "as the call service's"),
        (1.8e9, -6.0, State.WARNING, "6 s behind the call service"),
        (1.8e9, 61.0, State.PROBLEM, "61 s ahead of the call service: tickets and certificates fail"),
    ],
)
def test_the_clock(now: float, ahead_s: float | None, state: State, text: str) -> None:
    check = clock_check(now, 1.79e9, ahead_s)
    assert check.state is state
    assert text in check.text
    assert ("timedatectl" in check.remedy) is (state is not State.OK)
