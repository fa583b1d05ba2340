# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service is told of its configuration file, and of the files that one names."""

from pathlib import Path

import pytest

from callagent.config import parse_server_config
from callagent.server.configured import SecretUnreadable, settings_of

SECRET = "north-of-the-river"


def secret_in(path: Path) -> str:
    config = parse_server_config({"ice": {"turn": [{"host": "h", "secret_file": str(path)}]}})
    (server,) = settings_of(config).ice.turn
    return server.secret


def test_a_turn_secret_is_its_files_first_line(tmp_path: Path) -> None:
    path = tmp_path / "turn.secret"
    path.write_text(f"{SECRET} \nand a remark\n")
    assert secret_in(path) == SECRET


@pytest.mark.parametrize("content", [None, b"", b"\n", b"hunter2\n", b"\xff" * 20])
def test_a_file_without_a_secret(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "turn.secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretUnreadable, match=r"ice\.turn\.secret_file") as told:
        secret_in(path)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "told"), [("on", True), ("false", False), ("[7, 8]", frozenset({7, 8})), ("[]", frozenset())]
)
def test_whose_media_goes_by_the_relay_alone(given: str, told: bool | frozenset[int]) -> None:
    text = f"ice: {{turn: [{{host: h, secret: {SECRET}}}], relay_only: {given}}}"
    assert settings_of(parse_server_config(text)).ice.relay_only == told
