# SPDX-License-Identifier: GPL-3.0-or-later
"""Every mistake names file, line, column, key and what is allowed; all of them at once."""

import re
from pathlib import Path

import pytest

from callagent.config import (
    AgentConfig,
    ConfigError,
    ServerConfig,
    load_agent_config,
    load_server_config,
    parse_agent_config,
    parse_server_config,
)

IDENTITY = "identity: {user: lobby, usersig: abc}\n"
SECRET = "secret: 0123456789abcdef"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_agent_config(IDENTITY + text, "agent.yaml")
    return [str(problem) for problem in caught.value.problems]


def fits(message: str, expected: str) -> bool:
    """`...` in what is expected stands for anything."""
    return re.fullmatch(re.escape(expected).replace(re.escape("..."), ".*"), message) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("camra: {}", "2:1: camra: unknown key; did you mean camera? (allowed: service, identity, ...)"),
        ("xyz: 1", r"2:1: xyz: unknown key (allowed: service, ...)"),
        ("service:\n  prxy: a", r"3:3: service.prxy: unknown key; did you mean proxy? (allowed: url, ...)"),
        (
            "camera: {device: [{pth: 1}]}",
            "2:20: camera.device.0.pth: unknown key; did you mean path? (allowed: ...",
        ),
        (
            "camera: {device: {pth: 1}}",
            "2:19: camera.device.pth: unknown key; did you mean path? (allowed: ...",
        ),
        ("camera:\n  fps: fast", "3:8: camera.fps: must be a whole number from 1 to 60, not 'fast'"),
        ("camera: {fps: 15.5}", "2:15: camera.fps: must be a whole number from 1 to 60, not 15.5"),
        ("camera: {fps: true}", "2:15: camera.fps: must be a whole number from 1 to 60, not true"),
        ('camera: {fps: "15"}', "2:15: camera.fps: must be a whole number from 1 to 60, not '15'"),
        ("camera: {fps: 61}", "2:15: camera.fps: must be a whole number from 1 to 60, not 61"),
        ("camera: {fps: }", "2:14: camera.fps: must be a whole number from 1 to 60, not empty"),
        (
            "camera: {device: foo}",
            "2:18: camera.device: must be one of auto, none, virtual or a list..., not 'foo'",
        ),
        ("camera: {device: []}", "2:18: camera.device: must be ...a list that is not empty, not 0 entries"),
        ("camera: {device: [{}]}", "2:19: camera.device.0: needs at least one of serial, ..."),
        (
            "screen: {orientation: 3}",
            "2:23: screen.orientation: must be one of portrait, landscape, auto, 0, 1, 2, not 3",
        ),
        ("camera: 5", "2:9: camera: must be a mapping of keys to values, not 5"),
        ("speaker: {volume: 101}", "2:19: speaker.volume: must be a whole number from 0 to 100, not 101"),
        (
            "speaker: {period_ms: 40, buffer_ms: 60}",
            "2:37: speaker.buffer_ms: must be at least two periods (period_ms), 80",
        ),
        ("video: {codecs: [H265]}", "2:18: video.codecs.0: must be one of H264, VP8, not 'H265'"),
        ("video: {codecs: H264}", "2:17: video.codecs: must be a list of 1 to 2 of H264, VP8, not 'H264'"),
        ("video: {codecs: [VP8, VP8]}", "2:17: video.codecs: names a codec twice"),
        ("video: {width: 640}", "2:16: video.width: needs height beside it"),
        ("video: {width: 641, height: 480}", "2:16: video.width: must be ... divisible by 2, not 641"),
        (
            "answer: {mode: off}",
            "2:16: answer.mode: must be one of ring, auto, reject, do_not_disturb, not 'off'",
        ),
        ("answer: {mode: auto}", "2:9: answer.from: is required with mode: auto: ... write from: anyone"),
        ("answer: {from: []}", "2:16: answer.from: must be a list that is not empty, not 0 entries"),
        ("answer: {from: bob}", "2:16: answer.from: must be a list that is not empty, not 'bob'"),
        (
            "answer: {rules: [{mode: auto}]}",
            "2:18: answer.rules.0.from: is required: a list that is not empty",
        ),
        ("answer: {delay_s: 31}", "2:19: answer.delay_s: must be a number from 0 to 30, not 31"),
        (
            "answer: {do_not_disturb: [{from: 22:00, to: 24:00}]}",
            "2:45: answer.do_not_disturb.0.to: must be a time of day such as \"22:00\", not '24:00'",
        ),
        (
            "answer: {do_not_disturb: [{from: 1:00, to: 01:00}]}",
            "2:44: answer.do_not_disturb.0.to: is the same as from; ...",
        ),
        (
            "call: {timeout_s: 5}",
            r"2:19: call.timeout_s: must be 0 (the default of 30) or 10 to 600, not 5",
        ),
        ("call: {timeout_s: 601}", "2:19: call.timeout_s: must be a whole number from 0 to 600, not 601"),
        (
            "media: {stun: [google.com]}",
            "2:16: media.stun.0: must be a URL such as stun:..., not 'google.com'",
        ),
        ("media: {turn: [{url: 'turn:h', username: u}]}", "2:16: media.turn.0.credential: is required: ..."),
        (
            "control: {mode: 999}",
            "2:17: control.mode: must be a file mode of three octal digits such as 0660, not '0999'",
        ),
        (
            "service: {url: calls.example.org}",
            "2:16: service.url: must be a web address such as https://...",
        ),
        ("service: {url: 'http://10.0.0.1:80'}", "2:16: service.url: plain http:// ...allow_insecure: true"),
        ("log: {level: loud}", "2:14: log.level: must be one of debug, info, warning, error, not 'loud'"),
        ("camera: {}\ncamera: {}", "3:1: camera: duplicate key: it is given in line 2 already"),
        ("camera: {fps: 5, fps: 6}", "2:18: camera.fps: duplicate key: it is given in line 2 already"),
        (
            "log: !!python/object:os.system {}",
            r"2:6: log: the tag tag:yaml.org,2002:python/object:os.system is not supported",
        ),
        ("? [a]\n: b", "2:3: a key must be a plain word"),
    ],
)
def test_one_mistake(text: str, expected: str) -> None:
    (message,) = problems(text)
    assert fits(message, f"agent.yaml:{expected}"), message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", r"f:1:6: not valid YAML: ..."),
        ("a: b: c", r"f:1:5: not valid YAML: mapping values are not allowed here"),
        ("a:\n\t- b", r"f:2:1: not valid YAML: ...cannot start any token"),
        ("- a", r"f:1:1: the top level must be a mapping..."),
        ("just text", r"f:1:1: the top level must be a mapping..."),
        ("a: &x 1\nb: *x", r"f:2:4: not valid YAML: anchors and aliases ... are not supported"),
        ("a: 1\n---\nb: 2", r"f:2:1: not valid YAML: expected a single document..."),
        ("a: \0", r"f:1:4: not valid YAML: the character #x0000 is not allowed"),
        ('a: "\\U00110000"', r"f:1:1: not valid YAML: ..."),
        ("[" * 3000, r"f:1:1: not valid YAML: it is nested too deeply"),
    ],
)
def test_not_yaml(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_server_config(text, "f")
    assert fits(str(caught.value), expected), str(caught.value)


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ("", "agent.yaml:1:1: identity: is required: a mapping of keys to values"),
        ("identity:", "agent.yaml:1:10: identity: one credential is required: device_key_file, ..."),
        ("identity: {user: a}", "agent.yaml:1:11: identity: one credential is required: ..."),
        ("identity: {usersig: x}", "agent.yaml:1:11: identity.user: is required with usersig"),
        (
            "identity: {user: a, usersig: x, usersig_file: y}",
            "agent.yaml:1:30: identity.usersig: only one credential is allowed, and usersig_file is ...",
        ),
        (
            "identity: {user: a b, usersig: x}",
            "agent.yaml:1:18: identity.user: must be a user id: ..., not 'a b'",
        ),
    ],
)
def test_identity(identity: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_agent_config(identity, "agent.yaml")
    assert fits(str(caught.value), expected), str(caught.value)


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    found = problems("foo: 1\ncamera: {fps: 0, wdith: 1}\ncamera: {}\ncall: {media_type: film}\n")
    assert [line.split(":")[1] for line in found] == ["2", "3", "3", "4", "5"]


def test_secrets_are_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_agent_config(
            "identity: {user: a, usersig: [hunter2]}\nmedia: {turn: [{credential: [hunter2]}]}"
        )
    assert "hunter2" not in str(caught.value)
    assert not [line for line in problems("service: {proxy: 'socks://u:hunter2@h'}") if "hunter2" in line]


@pytest.mark.parametrize(
    "text",
    [
        "storage: {url: 'mysql://u:hunter2@h/d'}",
        "cluster: {redis_url: 'http://:hunter2@h'}",
        "ice: {turn: [{host: h, secret: hunter2}]}",
    ],
)
def test_secrets_of_a_service_are_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_server_config(text)
    assert "must be" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_messages_fit_a_terminal() -> None:
    found = problems('"\\x1b[2J\\u202e": 1\n"\\ud800": 2')
    assert len(found) == 2
    assert all(line.isprintable() for line in found)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary, long = tmp_path / "binary.yaml", tmp_path / "long.yaml"
    binary.write_bytes(b"a: b\nc: d\xff")
    long.write_text("#" * (2 << 20))
    cases = {
        tmp_path / "none.yaml": "cannot be read: No such file or directory",
        tmp_path: "cannot be read: Is a directory",
        long: "is longer than 1 MiB; is it the right file?",
    }
    for path, message in cases.items():
        with pytest.raises(ConfigError) as caught:
            load_agent_config(path)
        assert str(caught.value) == f"{path}: {message}"
    with pytest.raises(ConfigError) as caught:
        load_agent_config(binary)
    assert str(caught.value) == f"{binary}:2:5: is not UTF-8 text"


def test_empty_files_are_all_defaults(tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    for text in ("", "# nothing\n", "---\n", "null\n", "listen:\nstorage:\n"):
        path.write_text(text)
        assert load_server_config(path) == ServerConfig()
    path.write_text(IDENTITY + "camera:\nanswer:\n")
    assert load_agent_config(path) == parse_agent_config(IDENTITY)


def test_values_put_together_by_a_program_are_checked_the_same() -> None:
    data = {"identity": {"user": "a", "usersig": "b"}, "camera": {"fps": 99, "foo": 1}, "bar": {}}
    with pytest.raises(ConfigError) as caught:
        parse_agent_config(data, "demo")
    assert {str(problem).partition(" ")[0] for problem in caught.value.problems} == {"demo:"}
    assert {problem.key for problem in caught.value.problems} == {"camera.fps", "camera.foo", "bar"}
    good = {key: value for key, value in data.items() if key == "identity"}
    assert isinstance(parse_agent_config(good), AgentConfig)


def test_plain_http_beyond_loopback_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_server_config("listen: {http: {host: 0.0.0.0}}", "server.yaml")
    message = str(caught.value)
    assert message.startswith("server.yaml:1:23: listen.http.host: plain HTTP is for this machine only")
    assert "listen.http.allow_insecure: true" in message
    parse_server_config("listen: {http: {host: 0.0.0.0, allow_insecure: true}}")
    parse_server_config("listen: {http: {host: 0.0.0.0, enabled: off}}")
    parse_server_config('listen: {http: {host: "::1"}}')


def test_server_cross_checks() -> None:
    for text, expected in {
        "listen: {https: {certificate: a.pem}}": "1:31: listen.https.certificate: needs key beside it",
        "ice: {servers: [{urls: ['turn:h']}]}": "1:17: ice.servers.0.username: is required for a TURN server",
        "ice: {turn: [{host: h}]}": "1:14: ice.turn.0.secret: is required, or secret_file",
        f"ice: {{turn: [{{host: h, {SECRET}, secret_file: x}}]}}": (
            "1:63: ice.turn.0.secret_file: is one too many beside secret"
        ),
        f"ice: {{turn: [{{host: h, {SECRET}, udp_port: 0}}]}}": (
            "1:60: ice.turn.0.udp_port: must be a whole number from 1 to 65535, not 0"
        ),
        f"ice: {{turn: [{{host: h, {SECRET}, udp_port: null, tcp_port: null}}]}}": (
            "1:60: ice.turn.0.udp_port: at least one of udp_port, tcp_port and tls_port is required"
        ),
        "ice: {relay_only: on}": "1:19: ice.relay_only: needs a TURN server in ice.turn or ice.servers",
        "listen: {https: {host: example.org}}": "1:24: listen.https.host: must be an address of ...",
    }.items():
        with pytest.raises(ConfigError) as caught:
            parse_server_config(text, "s")
        assert fits(str(caught.value), f"s:{expected}"), str(caught.value)
