# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent screen`: what the configuration means for the page, and failures in one line."""

from pathlib import Path

import pytest

from callagent.cli.exits import CONFIG, FAILED
from callagent.cli.main import main
from callagent.cli.screen import settings_of
from callagent.config import AgentConfig, ConfigError, parse_agent_config
from callagent.screen.settings import Contact, ScreenSettings

IDENTITY = "identity: {user: lobby, usersig: abc}\n"


def agent(text: str = "") -> AgentConfig:
    return parse_agent_config(IDENTITY + text)


def test_the_defaults_are_those_of_the_page() -> None:
    assert settings_of(agent()) == ScreenSettings(fill_of={})


def test_every_key_reaches_the_page(tmp_path: Path) -> None:
    config = agent(
        """
camera: {front: [{bus: usb}]}
screen:
  place: Ward 3
  language: ar
  theme: light
  turn: 270
  contacts: [{name: Front desk, users: [reception, guard], picture: /r.png}]
  incoming: banner
  touch: off
  hide: [volume, swap]
  background: /b.jpg
  watermark: CARE
  layout: focus
  own_picture: none
  mirror: off
  fill: contain
  fill_of: {door: fill}
  clock: off
  animations: off
  sleep_after_s: 600
"""
    )
    assert settings_of(config) == ScreenSettings(
        place="Ward 3",
        language="ar",
        theme="light",
        turn=270,
        contacts=(Contact("Front desk", ("reception", "guard"), "/r.png"),),
        incoming="banner",
        touch=False,
        hidden=frozenset({"volume", "swap"}),
        background="/b.jpg",
        watermark="CARE",
        layout="focus",
        own_picture="none",
        mirror=False,
        fill="contain",
        fill_of={"door": "fill"},
        clock=False,
        animations=False,
        two_cameras=True,
        sleep_after_s=600,
    )


def test_without_contacts_they_are_whom_the_buttons_call() -> None:
    config = agent(
        """
buttons:
  - {name: a, key: KEY_F1, dial: {users: [reception]}}
  - {name: b, key: KEY_F2, dial: {users: [reception]}}
  - {name: c, key: KEY_F3, dial: {hunt: [guard, porter]}}
  - {name: d, key: KEY_F4, press: mute}
"""
    )
    assert settings_of(config).contacts == (Contact("reception", ("reception",)),)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("language: xx", "screen.language: must be one of ar, en, ja"),
        ("theme: pink", "screen.theme: must be one of dark, light"),
        ("contacts: [{name: A}]", "screen.contacts.0.users: is required"),
        ("hide: [answer]", "screen.hide.0: must be one of contacts"),
        ("turn: 45", "screen.turn: must be one of auto, 0, 90"),
        ("sleep_after_s: -1", "screen.sleep_after_s"),
        ("colour: red", "screen.colour: unknown key"),
    ],
)
def test_mistakes_are_named(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^<configuration>:3:3: |2:") as failure:
        agent(f"screen: {{{written}}}\n")
    assert said in str(failure.value)


def test_no_display_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(IDENTITY)
    for name in ("WAYLAND_DISPLAY", "DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("callagent.screen.main.os.access", lambda *_: False)
    assert main(["screen", "-c", str(file)]) == FAILED
    assert "no display: neither WAYLAND_DISPLAY" in capsys.readouterr().err
    file.write_text(IDENTITY + "screen: {language: xx}\n")
    assert main(["screen", "-c", str(file)]) == CONFIG
    assert f"{file}:2:20: screen.language" in capsys.readouterr().err


def test_darken_works_without_configuration_and_without_a_panel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "no terminal"
    file.touch()
    assert main(["screen", "--darken", "--terminal", str(file)]) == FAILED
    assert "cannot be set back to text" in capsys.readouterr().err
