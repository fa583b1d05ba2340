# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognises the first RTP packet of a key frame."""

from aiortc.codecs.vpx import VpxPayloadDescriptor

from callagent.ports import Codec

_NAL_SPS = 7
_NAL_STAP_A = 24


def starts_key_frame(codec: str, payload: bytes) -> bool:
    """Whether an RTP payload is the first of a picture that needs no earlier one.

    `codec` is the RTP payload name. H.264: the payload carries a sequence
    parameter set, alone or aggregated. VP8: the first packet of partition 0 of
    a key frame (RFC 7741 section 4.3).
    """
    if codec == Codec.H264:
        return _carries_sps(payload)
    if codec == Codec.VP8:
        try:
            descriptor, data = VpxPayloadDescriptor.parse(payload)
        except ValueError:
            return False
        first = descriptor.partition_start == 1 and descriptor.partition_id == 0
        return first and len(data) > 0 and data[0] & 1 == 0
    return False


def _carries_sps(payload: bytes) -> bool:
    nal_type = payload[0] & 0x1F if payload else 0
    if nal_type != _NAL_STAP_A:
        return nal_type == _NAL_SPS
    at = 1
    while at + 2 < len(payload):
        if payload[at + 2] & 0x1F == _NAL_SPS:
            return True
        at += 2 + int.from_bytes(payload[at : at + 2], "big")
    return False
