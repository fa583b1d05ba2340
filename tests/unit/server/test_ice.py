# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session is told of STUN and TURN servers."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from callagent.protocol.enums import Placement
from callagent.protocol.events import OnMediaPlan
from callagent.server.ice import IceSettings, TurnServer

SECRET = "north-of-the-river"
STUN = {"urls": ["stun:192.0.2.1:3478"]}


def plan(settings: IceSettings, app_id: int = 1, now: float = 1000.7) -> OnMediaPlan:
    bare = OnMediaPlan(call_id="c", epoch=1, placement=Placement.P2P, peers=[])
    return settings.equipped(bare, app_id, "0123456789abcdef", now)


def test_credentials_are_those_of_the_draft() -> None:
    (static, turn) = plan(IceSettings([STUN], [TurnServer("turn.example.org", SECRET, 600)])).ice_servers
    assert static == STUN
    assert turn["username"] == "1600:0123456789abcdef"
    by_hand = hmac.new(SECRET.encode(), b"1600:0123456789abcdef", hashlib.sha1).digest()
    assert turn["credential"] == base64.b64encode(by_hand).decode()


@pytest.mark.parametrize(
    ("ports", "urls"),
    [
        ({}, ["turn:t.example:3478?transport=udp", "turn:t.example:3478?transport=tcp"]),
        ({"udp_port": None, "tcp_port": None, "tls_port": 443}, ["turns:t.example:443?transport=tcp"]),
    ],
)
def test_the_ways_to_it(ports: dict[str, Any], urls: list[str]) -> None:
    assert TurnServer("t.example", SECRET, **ports).urls == urls


def test_an_address_of_ipv6_is_bracketed() -> None:
    assert TurnServer("2001:db8::1", SECRET, tcp_port=None).urls == ["turn:[2001:db8::1]:3478?transport=udp"]


@pytest.mark.parametrize(
    ("relay_only", "policies"),
    [(False, ("all", "all")), (True, ("relay", "relay")), (frozenset({2}), ("all", "relay"))],
)
def test_relay_only_by_app(relay_only: bool | frozenset[int], policies: tuple[str, str]) -> None:
    settings = IceSettings(relay_only=relay_only)
    assert tuple(plan(settings, app).ice_transport_policy for app in (1, 2)) == policies


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(IceSettings(turn=[TurnServer("t.example", SECRET)]))
