# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service's whole configuration."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from callagent.config.base import FilePath, Section, Switch, Text, key_error
from callagent.config.log import LogConfig

Port = Annotated[int, Field(ge=0, le=65535)]
"""0: any free port."""


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


class StorageConfig(Section):
    directory: FilePath = Path("/var/lib/callagent-server")
    """Database and local CA."""
    url: Text | None = Field(default=None, repr=False)
    """An SQLAlchemy database URL; None: SQLite in the directory."""

    @property
    def database_url(self) -> str:
        return self.url or f"sqlite:///{self.directory.absolute()}/callagent.sqlite"


class CallsConfig(Section):
    max_members: Annotated[int, Field(ge=2, le=100)] = 9
    """The caller included."""


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


class IceConfig(Section):
    servers: list[IceServerConfig] = []


class SessionsConfig(Section):
    silence_s: Annotated[float, Field(ge=5, le=300)] = 30.0
    """A client silent or away for this long is dropped."""


class ServerConfig(Section):
    listen: ListenConfig = ListenConfig()
    storage: StorageConfig = StorageConfig()
    calls: CallsConfig = CallsConfig()
    ice: IceConfig = IceConfig()
    sessions: SessionsConfig = SessionsConfig()
    log: LogConfig = LogConfig()
