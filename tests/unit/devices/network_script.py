# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by test_network in a network namespace of its own: real rtnetlink, printed line by line."""

import asyncio
import subprocess
import sys

from callagent.devices.network import Network, NetworkWatch


async def ip(words: str) -> None:
    await asyncio.to_thread(subprocess.run, ["ip", *words.split()], check=True)


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


async def main() -> None:
    seen: asyncio.Queue[tuple[Network, Network]] = asyncio.Queue()
    watch = NetworkWatch(lambda before, now: seen.put_nowait((before, now)))
    await ip("link add kiosk0 type veth peer name far0")
    await ip("link set far0 up")
    await watch.start()
    tell("at first", sorted(watch.now.addresses), sorted(watch.now.routes))
    for command in (
        "link set kiosk0 up",
        "addr add 192.0.2.7/24 dev kiosk0",
        "route add default via 192.0.2.1",
        "addr del 192.0.2.7/24 dev kiosk0",
    ):
        await ip(command)
        async with asyncio.timeout(10):
            while True:
                before, now = await seen.get()
                ipv4 = [sorted(a for a in each.addresses if "." in a) for each in (before, now)]
                if ipv4[0] != ipv4[1] or before.routes != now.routes:
                    break
                if command.endswith("up"):
                    break
        tell(command, ipv4[1], sorted(now.routes))
    await watch.close()
    await watch.close()


asyncio.run(main())
