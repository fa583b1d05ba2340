# SPDX-License-Identifier: GPL-3.0-or-later
"""How private API of aiortc 1.16 and aioice 0.13 is touched, by the `*_compat` modules only.

Everything is overridden on single instances, never on classes or modules, so
that other users of aiortc in this process keep the stock behaviour. Each
override first makes sure that what it replaces is there: `CompatError` tells
of an upgrade that changed it, and so does a test of each.
"""

from collections.abc import Callable
from typing import Any


class CompatError(Exception):
    """The installed aiortc or aioice is not the one this file was written for."""


def private(owner: object, defined_in: type, name: str) -> Any:
    """A double-underscore attribute of an instance of aiortc's class `defined_in`."""
    mangled = f"_{defined_in.__name__}{name}"
    if not hasattr(owner, mangled):
        raise CompatError(f"{defined_in.__name__} has no {name}")
    return getattr(owner, mangled)


def private_attribute(owner: object, name: str) -> Any:
    """An attribute that others are not meant to use."""
    if not hasattr(owner, name):
        raise CompatError(f"{type(owner).__name__} has no {name}")
    return getattr(owner, name)


def replace_private(owner: object, defined_in: type, name: str, value: object) -> None:
    private(owner, defined_in, name)
    setattr(owner, f"_{defined_in.__name__}{name}", value)


def override(owner: object, name: str, method: Callable[..., Any]) -> None:
    """Put a method of ours in the place of one of the instance's class."""
    if not callable(getattr(type(owner), name, None)):
        raise CompatError(f"{type(owner).__name__} has no method {name}")
    setattr(owner, name, method)
