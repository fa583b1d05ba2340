# SPDX-License-Identifier: GPL-3.0-or-later
"""From the configuration file to what the service is told."""

from pathlib import Path

from callagent.config.server import TURN_SECRET_CHARACTERS, IceConfig, ServerConfig
from callagent.server.calls.policy import CallPolicy, CallRule, JoinPolicy
from callagent.server.ice import IceSettings, TurnServer
from callagent.server.limits import LimitSettings
from callagent.server.settings import MediaServer, ServiceSettings


class SecretUnreadable(Exception):
    """A file with a secret cannot be used; the message names the key and the reason."""


def settings_of(config: ServerConfig) -> ServiceSettings:
    """Raises SecretUnreadable."""
    rules = [
        CallRule(tuple(rule.callers), tuple(rule.callees), rule.allow, rule.app)
        for rule in config.policy.calls
    ]
    return ServiceSettings(
        ice=_ice(config.ice),
        max_members=config.calls.max_members,
        session_silence_s=config.sessions.silence_s,
        redis_url=config.cluster.redis_url,
        policy=CallPolicy(rules),
        join_policy=JoinPolicy(config.calls.join),
        media_servers=[
            MediaServer(server.url, server.api_secret, server.capacity) for server in config.media_servers
        ],
        limits=LimitSettings(**config.limits.model_dump()),
        origins=config.listen.origins,
    )


def _ice(config: IceConfig) -> IceSettings:
    apps = config.relay_only
    return IceSettings(
        servers=[server.model_dump(exclude_none=True) for server in config.servers],
        turn=[
            TurnServer(
                host=turn.host,
                secret=turn.secret or _first_line(turn.secret_file),
                **turn.model_dump(include={"lifetime_s", "udp_port", "tcp_port", "tls_port"}),
            )
            for turn in config.turn
        ],
        relay_only=apps if isinstance(apps, bool) else frozenset(apps),
    )


def _first_line(path: Path | None) -> str:
    assert path is not None
    try:
        line = path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(f"the TURN secret (ice.turn.secret_file) cannot be read: {error}") from error
    if len(line) < TURN_SECRET_CHARACTERS:
        limit = f"fewer than {TURN_SECRET_CHARACTERS} characters"
        raise SecretUnreadable(f"the TURN secret (ice.turn.secret_file) has {limit}: {path}")
    return line
