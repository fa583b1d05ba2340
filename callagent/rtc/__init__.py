# SPDX-License-Identifier: GPL-3.0-or-later
"""WebRTC on aiortc: peer connections whose media comes encoded, once for all peers, and leaves encoded."""

from callagent.rtc.factory import WebRtcSessionFactory
from callagent.rtc.settings import RtcSettings

__all__ = ["RtcSettings", "WebRtcSessionFactory"]
