# SPDX-License-Identifier: GPL-3.0-or-later
"""Who draws: a processor or a GPU. On the GUI thread."""

from functools import lru_cache
from typing import Literal

from PySide6.QtGui import QOffscreenSurface, QOpenGLContext
from PySide6.QtQuick import QQuickWindow, QSGRendererInterface

PainterName = Literal["software", "gpu"]

_GL_RENDERER = 0x1F01
"""GL/gl.h"""
_RASTERISERS = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software rasterizer")
"""OpenGL on the processor: there every pixel a shader touches is dear."""


def painter_for(api: QSGRendererInterface.GraphicsApi, renderer: str) -> PainterName:
    """`renderer`: what GL_RENDERER says; empty where it is not OpenGL or cannot be asked."""
    if api == QSGRendererInterface.GraphicsApi.Software:
        return "software"
    if any(name in renderer.lower() for name in _RASTERISERS):
        return "software"
    return "gpu"


def painter_of(window: QQuickWindow) -> PainterName:
    """For a window whose scene graph is there."""
    api = window.rendererInterface().graphicsApi()
    return painter_for(api, gl_renderer() if api == QSGRendererInterface.GraphicsApi.OpenGL else "")


@lru_cache(maxsize=1)
def gl_renderer() -> str:
    """GL_RENDERER of a context of its own; empty where there is no OpenGL. Needs a QGuiApplication."""
    context = QOpenGLContext()
    if not context.create():
        return ""
    surface = QOffscreenSurface()
    surface.setFormat(context.format())
    surface.create()
    present = QOpenGLContext.currentContext()
    before = present.surface() if present is not None else None
    if not context.makeCurrent(surface):
        return ""
    try:
        return str(context.functions().glGetString(_GL_RENDERER) or "")
    finally:
        context.doneCurrent()
        if present is not None and before is not None:
            present.makeCurrent(before)
