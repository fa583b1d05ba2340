# SPDX-License-Identifier: GPL-3.0-or-later
"""Which call service the agent logs in to."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from callagent.config.base import FilePath, Section, Switch, Text, key_error

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"is not a web address: {error}") from error
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError("must be a web address such as https://calls.example.org:8443")
    return value.rstrip("/")


WebAddress = Annotated[Text, AfterValidator(_web_address)]


class ServiceConfig(Section):
    url: WebAddress = "https://127.0.0.1:8443"
    ca: FilePath | None = None
    """PEM file of the service's CA; none: the system's CAs."""
    sdk_app_id: Annotated[int, Field(ge=1, le=2**32 - 1)] = 1400000001
    proxy: WebAddress | None = Field(default=None, repr=False)
    """Not shown: it may hold a password."""
    allow_insecure: Switch = False
    """Permit http:// to another machine: tickets and calls then travel readable."""

    @model_validator(mode="after")
    def _secure(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not self.allow_insecure:
            raise key_error(
                "url",
                "plain http:// to another machine would send tickets readable over the network; "
                "use https://, or set service.allow_insecure: true",
            )
        return self
