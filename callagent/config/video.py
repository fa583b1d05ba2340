# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other side gets to see: size, rate, bitrate and codecs of the sent video."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from callagent.config.base import Section, by_number, key_error
from callagent.config.encoders import Encoder, named_once

PRESETS_BPS = {
    "640x360": 500_000,
    "640x480": 900_000,
    "960x540": 850_000,
    "960x720": 1_000_000,
    "1280x720": 1_500_000,
    "1920x1080": 2_000_000,
}
"""Target bitrate by size."""

_OTHER_NAMES = {
    **{name.replace("x", "_"): name for name in PRESETS_BPS},
    "360P": "640x360",
    "480P": "640x480",
    "540P": "960x540",
    "720P": "1280x720",
    "1080P": "1920x1080",
    # The enum numbers of the call kit's clients (reference: callkit-client-api 7.3).
    "62": "640x360",
    "64": "960x720",
    "108": "640x360",
    "110": "960x540",
    "112": "1280x720",
    "114": "1920x1080",
}


def _preset(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    name = str(value)
    return _OTHER_NAMES.get(name.removeprefix("RESOLUTION_").upper(), name)


_ORIENTATION_NUMBERS = {0: "landscape", 1: "portrait"}
"""The call kit's resolutionMode (reference: callkit-client-api 5)."""

Orientation = Annotated[
    Literal["landscape", "portrait", "auto"],
    by_number(_ORIENTATION_NUMBERS),
    WithJsonSchema({"enum": ["landscape", "portrait", "auto", *_ORIENTATION_NUMBERS]}),
]
Resolution = Annotated[
    Literal["640x360", "640x480", "960x540", "960x720", "1280x720", "1920x1080"], BeforeValidator(_preset)
]


class VideoConfig(Section):
    resolution: Resolution = "640x480"
    width: Annotated[int, Field(ge=64, le=3840, multiple_of=2)] | None = None
    """With `height`: a size of one's own in place of the preset."""
    height: Annotated[int, Field(ge=48, le=2160, multiple_of=2)] | None = None
    orientation: Orientation = "landscape"
    """`portrait` swaps width and height; `auto` sends as the camera's upright picture lies.

    A picture that lies otherwise gets bars. Apart from `camera.rotation` and `screen.orientation`.
    """
    fps: Annotated[int, Field(ge=1, le=30)] = 15
    bitrate_bps: Annotated[int, Field(ge=50_000, le=20_000_000)] | None = None
    """None: the preset's; for a size of one's own that of the next larger preset."""
    codecs: Annotated[list[Literal["H264", "VP8"]], Field(min_length=1, max_length=2)] = ["H264", "VP8"]
    """In order of preference."""
    priority: Literal["balance", "framerate", "resolution"] = "balance"
    """What is to suffer last on a network that carries less than the bitrate."""
    encoders: list[Encoder] = []
    """To try, best first; software is always the last. Empty: as the hardware profile says."""
    passthrough: Literal["auto", "never"] = "auto"
    """`auto`: a camera that gives H.264 of the very size is sent as it is; needs `camera` among the encoders,
    or none named at all."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.width is None) != (self.height is None):
            given, missing = ("width", "height") if self.height is None else ("height", "width")
            raise key_error(given, f"needs {missing} beside it")
        if len(set(self.codecs)) < len(self.codecs):
            raise key_error("codecs", "names a codec twice")
        named_once(self.encoders)
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self.width is not None and self.height is not None:
            return self.width, self.height
        width, _, height = self.resolution.partition("x")
        return int(width), int(height)

    @property
    def target_bps(self) -> int:
        """Bits per second the encoder starts with and does not exceed."""
        if self.bitrate_bps is not None:
            return self.bitrate_bps
        if self.width is None:
            return PRESETS_BPS[self.resolution]
        pixels = self.size[0] * self.size[1]
        for name, bps in PRESETS_BPS.items():
            width, _, height = name.partition("x")
            if pixels <= int(width) * int(height):
                return bps
        return max(PRESETS_BPS.values())
