# SPDX-License-Identifier: GPL-3.0-or-later
"""Which painter is used where."""

import pytest
from PySide6.QtQuick import QSGRendererInterface

from callagent.screen.scene_graph import painter_for

Api = QSGRendererInterface.GraphicsApi


@pytest.mark.parametrize(
    ("api", "renderer", "painter"),
    [
        (Api.Software, "", "software"),
        (Api.OpenGL, "llvmpipe (LLVM 19.1.7, 256 bits)", "software"),
        (Api.OpenGL, "softpipe", "software"),
        (Api.OpenGL, "Software Rasterizer", "software"),
        (Api.OpenGL, "Google SwiftShader", "software"),
        (Api.OpenGL, "V3D 7.1.7.0", "gpu"),
        (Api.OpenGL, "Mali-G610 (Panfrost)", "gpu"),
        (Api.OpenGL, "Mesa Intel(R) UHD Graphics (ADL-N)", "gpu"),
        (Api.OpenGL, "NVIDIA Tegra Orin (nvgpu)/integrated", "gpu"),
        (Api.Vulkan, "", "gpu"),
    ],
)
def test_a_processor_is_known_by_its_name(api: Api, renderer: str, painter: str) -> None:
    assert painter_for(api, renderer) == painter
