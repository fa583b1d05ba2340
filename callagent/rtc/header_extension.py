# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a header extension into an RTP packet that is ready to be sent (RFC 8285)."""

_FIXED_BYTES = 12
_ONE_BYTE = 0xBEDE
_TWO_BYTES = 0x1000
_EXTENDED = 0x10
MAX_ID = 14
"""Of the one-byte form."""


def with_extension(packet: bytes, ident: int, value: bytes) -> bytes:
    """The packet with one element more, of 1 to 16 bytes; `ident` is 1 to 14.

    A packet whose extension block is of a kind of its own is given back as it is.
    """
    at = _FIXED_BYTES + 4 * (packet[0] & 0x0F)
    if not packet[0] & _EXTENDED:
        block, elements, end = _ONE_BYTE, b"", at
    else:
        block = int.from_bytes(packet[at : at + 2], "big")
        end = at + 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
        elements = packet[at + 4 : end]
    if block == _ONE_BYTE:
        elements += bytes([ident << 4 | len(value) - 1]) + value
    elif block == _TWO_BYTES:
        elements += bytes([ident, len(value)]) + value
    else:
        return packet
    elements += bytes(-len(elements) % 4)
    head = bytes([packet[0] | _EXTENDED]) + packet[1:at]
    return head + block.to_bytes(2, "big") + (len(elements) // 4).to_bytes(2, "big") + elements + packet[end:]
