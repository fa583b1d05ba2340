# SPDX-License-Identifier: GPL-3.0-or-later
"""The device id stays the same, tells users apart and does not give the machine id away."""

from pathlib import Path

import pytest

from callagent.agent.identity import device_id
from callagent.agent.notify import notify
from callagent.protocol.requests import Hello


def test_a_device_id(tmp_path: Path) -> None:
    machine = tmp_path / "machine-id"
    machine.write_text("0123456789abcdef0123456789abcdef\n")
    own = device_id("lobby", machine)
    assert own == device_id("lobby", machine)
    assert own != device_id("door", machine)
    assert "0123456789abcdef" not in own
    machine.write_text("fedcba9876543210fedcba9876543210\n")
    assert own != device_id("lobby", machine)


def test_the_service_accepts_it_without_a_machine_id(tmp_path: Path) -> None:
    own = device_id("lobby", tmp_path / "none")
    hello = {"id": 1, "protocol": 1, "sdkAppId": 1, "userId": "lobby", "userSig": "x", "deviceId": own}
    assert Hello.model_validate(hello).device_id == own


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(5)
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1", "STATUS=up")
        assert manager.recv(100) == b"READY=1\nSTATUS=up"
    notify("STOPPING=1")  # nobody listens any more: no error
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
