# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's addresses and ways out, and the moment they change (rtnetlink(7))."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ifaddr

log = logging.getLogger(__name__)

SETTLE_S = 0.2
"""A changed address comes as several messages: link, address, route."""
LONGEST_SETTLE_S = 1.0
_LINK, _IPV4_ADDRESS, _IPV4_ROUTE, _IPV6_ADDRESS, _IPV6_ROUTE = 0x1, 0x10, 0x40, 0x100, 0x400
_GROUPS = _LINK | _IPV4_ADDRESS | _IPV4_ROUTE | _IPV6_ADDRESS | _IPV6_ROUTE
"""RTMGRP_ of linux/rtnetlink.h."""
_PROC = Path("/proc/net")


@dataclass(frozen=True, slots=True)
class Network:
    """What connections stand on."""

    addresses: frozenset[str] = frozenset()
    """Of interfaces that are up; without loopback and without scope."""
    routes: frozenset[str] = frozenset()
    """Default routes: interface and gateway."""


def network(proc: Path = _PROC) -> Network:
    """As it is now."""
    addresses = set()
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            if not address.startswith("127.") and address != "::1":
                addresses.add(address)
    return Network(frozenset(addresses), frozenset(_default_routes(proc)))


def _default_routes(proc: Path) -> set[str]:
    """From /proc/net/route and /proc/net/ipv6_route (proc(5)); lifetimes and counters left out."""
    routes = set()
    with contextlib.suppress(OSError):
        for line in (proc / "route").read_text().splitlines()[1:]:
            interface, destination, gateway, _, _, _, _, mask, *_ = line.split()
            if destination == mask == "00000000":
                routes.add(f"{interface} {gateway}")
    with contextlib.suppress(OSError):
        for line in (proc / "ipv6_route").read_text().splitlines():
            destination, length, _, _, gateway, *_, interface = line.split()
            if set(destination) == {"0"} and length == "00" and interface != "lo":
                routes.add(f"{interface} {gateway}")
    return routes


class NetworkWatch:
    """Calls back when addresses or default routes have changed and settled. Used on the loop."""

    def __init__(self, on_change: Callable[[Network, Network], None]) -> None:
        """`on_change` gets what was and what is."""
        self.now = Network()
        self._on_change = on_change
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._first_word = 0.0
        self._look: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribe, then look; where the kernel does not tell, nothing is ever called back."""
        loop = asyncio.get_running_loop()
        try:
            messages = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            messages.setblocking(False)
            messages.bind((0, _GROUPS))
        except OSError as error:
            log.warning("changes of the network are not told of: %s", error)
        else:
            self._socket = messages
            loop.add_reader(messages.fileno(), self._told)
        self.now = await asyncio.to_thread(network)

    async def close(self) -> None:
        """Idempotent."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        if self._timer is not None:
            self._timer.cancel()
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)

    def _told(self) -> None:
        assert self._socket is not None
        while True:
            try:
                self._socket.recv(65536)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    log.warning("changes of the network are no longer told of: %s", error)
                    asyncio.get_running_loop().remove_reader(self._socket.fileno())
                    break
                # Messages were lost: all the more reason to look.
        self._arm()

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._first_word = loop.time()
        else:
            self._timer.cancel()
        due = min(loop.time() + SETTLE_S, self._first_word + LONGEST_SETTLE_S)
        self._timer = loop.call_at(due, self._settled)

    def _settled(self) -> None:
        self._timer = None
        if self._look is None or self._look.done():
            self._look = asyncio.get_running_loop().create_task(self._compare(), name="network look")
        else:
            self._arm()

    async def _compare(self) -> None:
        before, self.now = self.now, await asyncio.to_thread(network)
        if self.now != before:
            self._on_change(before, self.now)
