# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the call service answers, and whether the clocks agree."""

import errno
import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp

from callagent.agent.doctor.checks import Check, ok, problem, warning
from callagent.agent.sign_in import tls_context
from callagent.config import AgentConfig
from callagent.protocol.errors import CallAgentError

TIMEOUT_S = 10.0
HEALTH_PATH = "/healthz"
CLOCK_WARNING_S, CLOCK_PROBLEM_S = 5.0, 60.0
_SET_CLOCK = "timedatectl set-ntp true; timedatectl shows whether it works"
_BUILT = Path(__file__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said, or why it did not."""

    status: int = 0
    ours: bool = False
    """It is a call service."""
    version: str = ""
    ahead_s: float | None = None
    """How far this machine's clock is ahead of the service's."""
    error: Exception | None = None


async def ask(config: AgentConfig) -> Answer:
    """One GET, through the proxy and with the CA of the configuration; what goes wrong is in the answer."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        context = tls_context(config) or True
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(
                config.service.url + HEALTH_PATH, ssl=context, proxy=config.service.proxy
            ) as response,
        ):
            health = _health(await response.text(errors="replace"))
            return Answer(
                response.status,
                "status" in health and "version" in health,
                str(health.get("version", "")),
                _ahead(response.headers.get("Date", "")),
            )
    except (aiohttp.ClientError, CallAgentError, OSError, TimeoutError) as error:
        return Answer(error=error)


def _health(text: str) -> dict[str, object]:
    try:
        health = json.loads(text)
    except ValueError:
        return {}
    return health if isinstance(health, dict) else {}


def service_checks(config: AgentConfig, answer: Answer) -> Iterator[Check]:
    """Pure."""
    url = config.service.url
    if answer.error is not None:
        reason, remedy = _explained(answer.error, config)
        yield problem(f"{url} cannot be reached: {reason}", remedy)
    elif not answer.ours:
        remedy = "correct service.url; the call service's own port is 8443"
        yield problem(f"what answers at {url} (HTTP {answer.status}) is not a call service", remedy)
    elif answer.status != 200:
        remedy = "journalctl -u callagent-server on its machine says why"
        yield problem(f"the call service at {url} is not well (HTTP {answer.status})", remedy)
    else:
        yield ok(f"the call service at {url} answers, version {answer.version}")


def clock_check(now: float, built: float, ahead_s: float | None) -> Check:
    """Pure. `now`, `built`: seconds since 1970, of this machine's clock and of the program's files."""
    said = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if now < built - 86400:
        return problem(f"the clock says {said}, which is before this program was installed", _SET_CLOCK)
    if ahead_s is None:
        return ok(f"the clock says {said}")
    side = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the call service"
    if abs(ahead_s) > CLOCK_PROBLEM_S:
        return problem(f"the clock says {said}, {side}: tickets and certificates fail", _SET_CLOCK)
    if abs(ahead_s) > CLOCK_WARNING_S:
        return warning(f"the clock says {said}, {side}", _SET_CLOCK)
    return ok(f"the clock says {said}, as the call service's")


def built_at() -> float:
    return _BUILT.stat().st_mtime


def _ahead(date: str) -> float | None:
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None


def _explained(error: Exception, config: AgentConfig) -> tuple[str, str]:
    """The reason, and what to do."""
    url = config.service.url
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
        if cause.verify_code in (9, 10):
            return (
                f"its certificate is out of date ({cause.verify_message})",
                "compare the clocks of both machines",
            )
        remedy = f"fetch {url}/ca.crt, compare it with the server's, and name the file in service.ca"
        return f"its certificate is not trusted ({cause.verify_message})", remedy
    if isinstance(cause, ssl.SSLError):
        return (
            f"TLS fails ({cause.reason or cause})",
            "is it https:// that is spoken there? correct service.url",
        )
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy {config.service.proxy} does not answer ({cause})", "correct service.proxy"
    if isinstance(cause, socket.gaierror):
        return (
            f"its name is not known ({cause.strerror})",
            "correct service.url, or the name server of this machine",
        )
    if isinstance(cause, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s", "a firewall may drop the packets; try: ping, curl -k"
    if isinstance(cause, CallAgentError):
        return cause.message, "correct service.ca"
    if isinstance(cause, OSError):
        remedies = {
            errno.ECONNREFUSED: "nobody listens there: systemctl status callagent-server on its machine",
            errno.ENETUNREACH: "this machine has no network: ip address; ip route",
            errno.EHOSTUNREACH: "there is no way to that machine: ip route",
        }
        return (cause.strerror or str(cause)), remedies.get(cause.errno or 0, "try: curl -k " + url)
    return str(error) or type(error).__name__, "try: curl -k " + url
