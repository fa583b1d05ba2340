# SPDX-License-Identifier: GPL-3.0-or-later
"""PyGObject and GStreamer, where Debian's packages have them; nothing of it is needed otherwise.

Debian's `python3-gi` lies in /usr/lib/python3/dist-packages and fits Debian's own python3 only. A virtual
environment does not see that folder, and must not: it holds other versions of what is installed here. So only
the package `gi` is taken from there.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
import threading
import warnings
from typing import Any, NamedTuple

DEBIAN_PACKAGES = "/usr/lib/python3/dist-packages"
_lock = threading.Lock()
_found: "GStreamer | GStreamerMissing | None" = None


class GStreamerMissing(Exception):
    """Why GStreamer cannot be used, with the Debian package that would help."""


class GStreamer(NamedTuple):
    """The namespaces that are used."""

    Gst: Any
    GstApp: Any
    GstVideo: Any


def gstreamer() -> GStreamer:
    """Import and initialise it, once; takes some 50 ms. Callable from any thread. Raises GStreamerMissing."""
    global _found
    with _lock:
        if _found is None:
            try:
                _found = _load()
            except GStreamerMissing as error:
                _found = error
    if isinstance(_found, GStreamerMissing):
        raise _found
    return _found


def _load() -> GStreamer:
    try:
        with warnings.catch_warnings():
            # PyGObject's importer is of an older kind than Python's own likes.
            warnings.simplefilter("ignore")
            return _imported()
    except (ImportError, AttributeError, ValueError) as error:
        packages = "apt-get install python3-gi gir1.2-gst-plugins-base-1.0"
        raise GStreamerMissing(f"GStreamer is not installed for this Python: {error} ({packages})") from error


def _imported() -> GStreamer:
    gi = _gi()
    gi.require_version("Gst", "1.0")
    gi.require_version("GstApp", "1.0")
    gi.require_version("GstVideo", "1.0")
    # GstApp, too, or the elements appsrc and appsink have no methods.
    gst, app, video = (
        importlib.import_module(f"gi.repository.{name}") for name in ("Gst", "GstApp", "GstVideo")
    )
    succeeded, _ = gst.init_check(None)
    if not succeeded:
        raise GStreamerMissing("GStreamer cannot be initialised")
    return GStreamer(gst, app, video)


def _gi() -> Any:
    try:
        return importlib.import_module("gi")
    except ImportError:
        pass
    spec = importlib.machinery.PathFinder.find_spec("gi", [DEBIAN_PACKAGES])
    if spec is None or spec.loader is None:
        raise ImportError("there is no module gi")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gi"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        # Built for another Python, as a rule: half of it must not stay.
        for name in [name for name in sys.modules if name == "gi" or name.startswith("gi.")]:
            del sys.modules[name]
        raise
    return module
