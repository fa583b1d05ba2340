# SPDX-License-Identifier: Apache-2.0
"""The frame channel: decoded pictures from the agent to the screen and to other programs of the same machine.

Pictures lie in sealed shared memory without a name, whose descriptors go over a Unix socket: whatever is
killed, the kernel takes all of it back. The writer never waits for a reader. The wire is
`protocol/frames.py`.
"""

from callagent.frames.client import FrameClient, default_frames_path
from callagent.frames.ring import Picture, RingReader, RingWriter
from callagent.frames.server import FrameServer
from callagent.frames.stream import Stream

__all__ = [
    "FrameClient",
    "FrameServer",
    "Picture",
    "RingReader",
    "RingWriter",
    "Stream",
    "default_frames_path",
]
