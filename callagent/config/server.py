# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service's whole configuration."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from callagent.config.base import FilePath, Section, Switch, Text, key_error
from callagent.config.log import LogConfig

Port = Annotated[int, Field(ge=0, le=65535)]
"""0: any free port."""
RemotePort = Annotated[int, Field(ge=1, le=65535)]
TURN_SECRET_CHARACTERS = 16
"""At least: with its credentials anyone can try secrets offline."""


def _address(value: str) -> str:
    if value != "localhost":
        try:
            ip_address(value)
        except ValueError as error:
            raise ValueError("must be an address of this machine, 0.0.0.0 or :: for all") from error
    return value


Address = Annotated[Text, AfterValidator(_address)]
HostName = Annotated[
    str,
    StringConstraints(pattern=r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$"),
    Field(description="a host name or an IP address"),
]
IceUrl = Annotated[
    str,
    StringConstraints(pattern=r"^(stun|turn)s?:\S+$"),
    Field(description="a URL such as stun:stun.example.org:3478 or turn:turn.example.org:3478"),
]

DatabaseUrl = Annotated[
    str,
    StringConstraints(pattern=r"^(sqlite|postgresql)(\+\w+)?://\S*$"),
    Field(description="a database URL such as postgresql://user:password@host/name or sqlite:////path"),
]
RedisUrl = Annotated[
    str,
    StringConstraints(pattern=r"^(rediss?|unix)://\S+$"),
    Field(description="a URL such as redis://:password@host:6379 or rediss://host:6379"),
]


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError as error:
        raise ValueError("must be an IP address or a network such as 10.0.0.0/8") from error
    return value


Network = Annotated[Text, AfterValidator(_network)]
Origin = Annotated[
    str,
    StringConstraints(pattern=r"^(\*|https?://[^/\s]+)$"),
    Field(description="an origin such as https://intranet.example.org, or * for any"),
]


class HttpsConfig(Section):
    host: Address = "0.0.0.0"
    port: Port = 8443
    certificate: FilePath | None = None
    """PEM, the chain included. With neither certificate nor key a local CA is made at first start."""
    key: FilePath | None = None
    names: list[HostName] = []
    """Further names or addresses for the certificate of the local CA."""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            given, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise key_error(given, f"needs {missing} beside it")
        return self


class HttpConfig(Section):
    enabled: Switch = True
    host: Address = "127.0.0.1"
    port: Port = 8080
    allow_insecure: Switch = False
    """Permit plain HTTP to other machines, as behind a proxy that adds TLS."""

    @model_validator(mode="after")
    def _loopback_only(self) -> Self:
        loopback = self.host == "localhost" or ip_address(self.host).is_loopback
        if self.enabled and not loopback and not self.allow_insecure:
            raise key_error(
                "host",
                "plain HTTP is for this machine only: browsers give no camera to such a page and tickets "
                "would travel readable; use 127.0.0.1, or set listen.http.allow_insecure: true",
            )
        return self


class ListenConfig(Section):
    https: HttpsConfig = HttpsConfig()
    http: HttpConfig = HttpConfig()
    proxies: list[Network] = []
    """Whose `X-Forwarded-For` is believed: the load balancer's addresses or networks."""
    origins: list[Origin] = []
    """Pages of other hosts that may open the signalling."""


class StorageConfig(Section):
    directory: FilePath = Path("/var/lib/callagent-server")
    """Database and local CA."""
    url: DatabaseUrl | None = Field(default=None, repr=False)
    """Of a PostgreSQL or another SQLite database; None: SQLite in the directory."""

    @property
    def database_url(self) -> str:
        return self.url or f"sqlite:///{self.directory.absolute()}/callagent.sqlite"


class ClusterConfig(Section):
    redis_url: RedisUrl | None = Field(default=None, repr=False)
    """The Redis by which several nodes share one database; None: this is the only node."""


class CallsConfig(Section):
    max_members: Annotated[int, Field(ge=2, le=100)] = 9
    """The caller included."""
    join: Literal["members", "invited", "anyone"] = "anyone"
    """Who may enter a running call without being rung: anyone of the app, or who was invited once.

    `members` means those of the call's chat group; the service keeps no groups, so who was invited.
    """


class IceServerConfig(Section):
    """As W3C RTCIceServer; given to every client with the media plan."""

    urls: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^(stun|turn)s?:\S+$")]], Field(min_length=1)
    ]
    username: Text | None = None
    credential: Text | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _turn_needs_credential(self) -> Self:
        if any(url.startswith("turn") for url in self.urls):
            for key in ("username", "credential"):
                if getattr(self, key) is None:
                    raise key_error(key, "is required for a TURN server")
        return self


class TurnConfig(Section):
    """A TURN server (coturn with `use-auth-secret`) for which the service makes time-limited credentials."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]+$")]
    secret: Annotated[str, StringConstraints(min_length=TURN_SECRET_CHARACTERS)] | None = Field(
        default=None, repr=False
    )
    """coturn's `static-auth-secret`; or in a file, whose first line it is."""
    secret_file: FilePath | None = None
    lifetime_s: Annotated[int, Field(ge=300, le=7 * 86400)] = 86400
    udp_port: RemotePort | None = 3478
    tcp_port: RemotePort | None = 3478
    tls_port: RemotePort | None = None

    @model_validator(mode="after")
    def _one_secret_and_one_way(self) -> Self:
        if self.secret is None and self.secret_file is None:
            raise key_error("secret", "is required, or secret_file")
        if self.secret is not None and self.secret_file is not None:
            raise key_error("secret_file", "is one too many beside secret")
        if self.udp_port is self.tcp_port is self.tls_port is None:
            raise key_error("udp_port", "at least one of udp_port, tcp_port and tls_port is required")
        return self


class IceConfig(Section):
    servers: list[IceServerConfig] = []
    turn: list[TurnConfig] = []
    relay_only: Switch | list[Annotated[int, Field(ge=1, lt=2**31)]] = False
    """Media goes by TURN only, never from device to device: for every app, or for these."""

    @model_validator(mode="after")
    def _a_relay_for_relay_only(self) -> Self:
        static = any(url.startswith("turn") for server in self.servers for url in server.urls)
        if self.relay_only and not self.turn and not static:
            raise key_error("relay_only", "needs a TURN server in ice.turn or ice.servers")
        return self


MediaServerUrl = Annotated[
    str,
    StringConstraints(pattern=r"^wss?://[^\s/]+(/\S*)?$"),
    Field(description="the URL of Janus' WebSocket transport such as ws://10.0.0.7:8188"),
]


class MediaServerConfig(Section):
    """A Janus that carries calls of several."""

    url: MediaServerUrl
    api_secret: Text | None = Field(default=None, repr=False)
    """As in its `janus.jcfg`."""
    capacity: Annotated[int, Field(ge=1, le=100_000)] = 400
    """Peer connections it can carry; a call of n members takes n times n."""


class SessionsConfig(Section):
    silence_s: Annotated[float, Field(ge=5, le=300)] = 30.0
    """A client silent or away for this long is dropped."""


UserPattern = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_*?\[\]!-]{1,64}$"),
    Field(description="a user id, or a pattern with * and ? such as kiosk-*"),
]


class CallRuleConfig(Section):
    """The first rule that fits decides."""

    callers: Annotated[list[UserPattern], Field(min_length=1)] = ["*"]
    callees: Annotated[list[UserPattern], Field(min_length=1)] = ["*"]
    allow: Switch
    app: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    """None: of every app."""


class PolicyConfig(Section):
    calls: list[CallRuleConfig] = []
    """Who may call whom; without a rule that fits everybody may."""


class LimitsConfig(Section):
    connections: Annotated[int, Field(ge=1)] = 20_000
    connections_per_address: Annotated[int, Field(ge=1)] = 1_000
    """A whole site may come from one address."""
    requests_per_s: Annotated[float, Field(ge=1)] = 100.0
    """Of one user; three times as many at once."""
    calls_per_minute: Annotated[float, Field(ge=1)] = 60.0
    """Begun by one user."""


class ServerConfig(Section):
    listen: ListenConfig = ListenConfig()
    storage: StorageConfig = StorageConfig()
    cluster: ClusterConfig = ClusterConfig()
    calls: CallsConfig = CallsConfig()
    ice: IceConfig = IceConfig()
    media_servers: list[MediaServerConfig] = []
    """The least loaded one that is healthy takes a call; none: calls of several are a mesh."""
    sessions: SessionsConfig = SessionsConfig()
    policy: PolicyConfig = PolicyConfig()
    limits: LimitsConfig = LimitsConfig()
    log: LogConfig = LogConfig()

    @model_validator(mode="after")
    def _each_media_server_once(self) -> Self:
        urls = [server.url for server in self.media_servers]
        for number, url in enumerate(urls):
            if url in urls[:number]:
                raise key_error("media_servers", f"{url} is there twice")
        return self

    @model_validator(mode="after")
    def _nodes_share(self) -> Self:
        shared = self.storage.url is not None and self.storage.url.startswith("postgresql")
        if self.cluster.redis_url is not None and not shared:
            raise key_error("cluster", "several nodes need a PostgreSQL database: set storage.url")
        return self
