# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service on its ports: HTTPS for everybody, HTTP for this machine, one loop, one service."""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import resource
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.routing import Route

from callagent.config.server import ServerConfig
from callagent.server.app import create_app
from callagent.server.configured import SecretUnreadable, settings_of
from callagent.server.service import CallService
from callagent.server.storage.engine import DatabaseTaken
from callagent.server.tls import ServerTls, TlsError, configured_tls, local_tls, machine_addresses

WS_MAX_BYTES = 1 << 20
"""A longer WebSocket message ends the connection; signalling refuses far shorter ones in words."""
CLOSE_LIMIT_S = 1.5
"""For the service to say bye to everybody and close its storage."""
LISTENER_LIMIT_S = 1.2
"""For the connections of all listeners to end after that."""
WEB_ROOT = Path(__file__).parent / "web"

logger = logging.getLogger(__name__)


class ServeError(Exception):
    """The service cannot start; one sentence for whoever started it."""


@dataclass(frozen=True, slots=True)
class ServeHandle:
    """A running service. Used on the loop it runs on."""

    service: CallService
    https_port: int
    http_port: int | None
    """None when plain HTTP is off."""
    urls: tuple[str, ...]
    """Addresses of the web phone, the most useful first."""
    ca_path: Path | None
    """The local CA's certificate; None with the operator's own."""
    _stopped: asyncio.Event

    def stop(self) -> None:
        """Ask `wait` to return; leaving `running_service` is what ends the service."""
        self._stopped.set()

    async def wait(self) -> None:
        """Return when `stop` was called or a listener died."""
        await self._stopped.wait()


class _Listener(uvicorn.Server):
    """One port. Signals are the process's business, and starting is an event, not a flag."""

    def __init__(
        self, app: FastAPI, listening: socket.socket, context: ssl.SSLContext | None, proxies: list[str]
    ) -> None:
        super().__init__(_uvicorn_config(app, context, proxies))
        self._socket = listening
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def run_until_stopped(self) -> None:
        await self.serve([self._socket])

    def stop_accepting(self) -> None:
        for server in self.servers:
            server.close()


def _allow_many_connections() -> None:
    """A process may open few files by default (getrlimit(2)); every client is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(config: ServerConfig, started: Callable[[ServeHandle], None] | None = None) -> int:
    """Run the service until SIGTERM or SIGINT, then end it within 3 s; the exit code.

    `started` is called once, when the ports are open. Raises ServeError when it cannot start.
    """
    loop = asyncio.get_running_loop()
    _allow_many_connections()
    async with running_service(config) as handle:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, handle.stop)
        _collect_seldom()
        try:
            if started is not None:
                started(handle)
            _notify("READY=1")
            await handle.wait()
            _notify("STOPPING=1")
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
    return 0


def _collect_seldom() -> None:
    """Have garbage collections stop everything seldom and for a short time.

    Modules and routes live as long as the service: none needs to look at them again, which takes 0.1 s. And
    the less often it looks the less is only on its way: with Python's own numbers 5,000 sessions, 0.7 s each
    time, were looked through every few seconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@asynccontextmanager
async def running_service(config: ServerConfig) -> AsyncIterator[ServeHandle]:
    """The service from open ports to closed database. Raises ServeError when it cannot start."""
    async with AsyncExitStack() as stack:
        tls = await _tls(config)
        https = stack.enter_context(_bind("https", config.listen.https.host, config.listen.https.port))
        http = None
        if config.listen.http.enabled:
            http = stack.enter_context(_bind("http", config.listen.http.host, config.listen.http.port))
        service = await _open_service(config)
        stack.push_async_callback(_close_service, service)
        app = create_app(service, WEB_ROOT)
        _add_ca_route(app, tls.ca_path)
        await _start(service)

        stopped = asyncio.Event()
        proxies = list(config.listen.proxies)
        listeners = [_Listener(app, https, tls.context, proxies)]
        if http is not None:
            listeners.append(_Listener(app, http, None, proxies))
        for listener in listeners:
            await stack.enter_async_context(_listening(listener, stopped))
        stack.push_async_callback(_say_bye, service, listeners)

        https_port = https.getsockname()[1]
        http_port = http.getsockname()[1] if http is not None else None
        yield ServeHandle(
            service, https_port, http_port, _urls(config, https_port, http_port), tls.ca_path, stopped
        )


@asynccontextmanager
async def _listening(listener: _Listener, stopped: asyncio.Event) -> AsyncIterator[None]:
    """Own the task that serves one port; when it ends by itself, `stopped` is set."""
    task = asyncio.create_task(listener.run_until_stopped())
    task.add_done_callback(lambda _: stopped.set())
    ready = asyncio.create_task(listener.ready.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            raise ServeError("a listener ended while it was starting")
        yield
    finally:
        ready.cancel()
        listener.should_exit = True
        await asyncio.wait({task}, timeout=LISTENER_LIMIT_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _say_bye(service: CallService, listeners: list[_Listener]) -> None:
    """Close the service while its connections still stand, so that every client hears why."""
    for listener in listeners:
        listener.stop_accepting()  # a client that comes back at once must not find a closing service
    await _close_service(service)
    for listener in listeners:
        listener.should_exit = True


async def _close_service(service: CallService) -> None:
    try:
        await asyncio.wait_for(service.close(), CLOSE_LIMIT_S)
    except TimeoutError:
        logger.warning("the service did not close within %.1f s", CLOSE_LIMIT_S)


async def _tls(config: ServerConfig) -> ServerTls:
    https = config.listen.https
    try:
        if https.certificate is not None and https.key is not None:
            return await asyncio.to_thread(configured_tls, https.certificate, https.key)
        return await asyncio.to_thread(local_tls, config.storage.directory / "tls", https.names)
    except TlsError as error:
        raise ServeError(str(error)) from error


async def _open_service(config: ServerConfig) -> CallService:
    try:
        return await CallService.open(config.storage.database_url, settings=settings_of(config))
    except (DatabaseTaken, SecretUnreadable) as error:
        raise ServeError(str(error)) from error
    except (OSError, SQLAlchemyError) as error:
        reason = str(error).splitlines()[0]
        raise ServeError(f"the database cannot be opened: {reason}") from error


async def _start(service: CallService) -> None:
    try:
        await service.start()
    except (OSError, TimeoutError, RedisError) as error:
        raise ServeError(f"Redis (cluster.redis_url) does not answer: {error}") from error


def _bind(scheme: str, host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    where = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listening = socket.create_server(
            (address, port), family=family, backlog=512, dualstack_ipv6=address == "::"
        )
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "the port is taken by another program",
            errno.EACCES: "not permitted; ports below 1024 need CAP_NET_BIND_SERVICE",
            errno.EADDRNOTAVAIL: "this machine has no such address",
        }.get(error.errno or 0, error.strerror or str(error))
        raise ServeError(f"cannot listen on {where}: {reason}") from error
    # Connections inherit it; asyncio sets it only on sockets made with the number of their protocol. Without
    # it a message waits 40 ms for the acknowledgement of the one before (tcp(7)).
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _uvicorn_config(app: FastAPI, context: ssl.SSLContext | None, proxies: list[str]) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="none",
        ws="websockets-sansio",
        ws_max_size=WS_MAX_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    config.ssl = context
    return config


def _add_ca_route(app: FastAPI, ca_path: Path | None) -> None:
    if ca_path is None:
        return
    content = ca_path.read_bytes()

    async def ca_certificate(_: object) -> Response:
        return Response(content, media_type="application/x-x509-ca-cert")

    # In front: whatever the application mounts at the root must not hide it.
    app.router.routes.insert(0, Route("/ca.crt", ca_certificate, methods=["GET"]))


def _urls(config: ServerConfig, https_port: int, http_port: int | None) -> tuple[str, ...]:
    host = config.listen.https.host
    if host in ("0.0.0.0", "::"):
        usable = [one for one in machine_addresses() if not one.is_link_local]
        if host == "0.0.0.0":
            usable = [one for one in usable if one.version == 4]
        hosts = [str(one) for one in sorted(usable, key=lambda one: (one.is_loopback, one.version))]
    else:
        hosts = [host]
    urls = [f"https://{f'[{one}]' if ':' in one else one}:{https_port}/" for one in hosts]
    if http_port is not None:
        local = config.listen.http.host
        urls.append(f"http://{f'[{local}]' if ':' in local else local}:{http_port}/")
    return tuple(urls)


def _notify(assignment: str) -> None:
    """Tell systemd (sd_notify(3)); nothing where no service manager listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    with channel, contextlib.suppress(OSError):
        channel.sendto(assignment.encode(), address)
