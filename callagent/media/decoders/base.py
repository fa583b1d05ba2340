# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract every video decoder keeps: software today, hardware behind the same words later."""

from typing import Protocol

from callagent.ports import Codec, ReceivedPicture, VideoFrame


class DecoderError(Exception):
    """The decoder cannot be opened; another may be tried."""


class DecodeError(Exception):
    """This picture is damaged, or needs one that is: only a key frame helps. The decoder stays usable."""


class VideoDecoder(Protocol):
    """One encoded picture in, at most one picture out, at once; used by one thread at a time."""

    @property
    def codec(self) -> Codec: ...

    def decode(self, picture: ReceivedPicture) -> VideoFrame | None:
        """The picture as I420; its `capture_time` is the arrival. Raises DecodeError.

        None when the access unit shows nothing (parameter sets alone). A damaged
        picture is never given out, neither half nor patched up.
        """
        ...

    def close(self) -> None:
        """Free the codec. Idempotent."""
        ...
