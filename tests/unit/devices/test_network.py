# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of the network, told by the real kernel in a network namespace, and routes as it prints them."""

import subprocess
import sys
from pathlib import Path

from callagent.devices.network import network

ROUTE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""
IPV6_ROUTE = (
    f"{'0' * 32} 00 {'0' * 32} 00 fe80000000000000000000000000{'0' * 3}1 00000400 00000001 00000000 00000003 "
    f"    wlan0\n{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"
)


def test_default_routes_are_told_from_others(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(ROUTE)
    (tmp_path / "ipv6_route").write_text(IPV6_ROUTE)
    assert network(tmp_path).routes == {"eth0 010200C0", f"wlan0 fe80{'0' * 27}1"}


def test_without_proc_there_are_no_routes(tmp_path: Path) -> None:
    assert network(tmp_path).routes == frozenset()


def test_the_kernel_tells_of_addresses_and_routes() -> None:
    script = Path(__file__).with_name("network_script.py")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *changes = done.stdout.splitlines()
    assert first.startswith("at first")
    assert changes[1:] == [
        "addr add 192.0.2.7/24 dev kiosk0 ['192.0.2.7'] []",
        "route add default via 192.0.2.1 ['192.0.2.7'] ['kiosk0 010200C0']",
        "addr del 192.0.2.7/24 dev kiosk0 [] []",
    ]
