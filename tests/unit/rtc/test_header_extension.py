# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put into a packet is what another parser finds there, and nothing else has changed."""

from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket, unpack_header_extensions
from hypothesis import given
from hypothesis import strategies as st

from callagent.rtc.header_extension import MAX_ID, with_extension
from callagent.rtc.transport_cc import URI


def elements(packet: bytes) -> list[tuple[int, bytes]]:
    at = 12 + 4 * (packet[0] & 0x0F)
    if not packet[0] & 0x10:
        return []
    end = at + 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
    return unpack_header_extensions(int.from_bytes(packet[at : at + 2], "big"), packet[at + 4 : end])


def rtp(payload: bytes, sources: list[int], block: bytes = b"") -> bytes:
    first = 0x80 | (0x10 if block else 0) | len(sources)
    head = bytes([first, 0x60]) + bytes.fromhex("1234 55667788 99aabbcc")
    return head + b"".join(source.to_bytes(4, "big") for source in sources) + block + payload


def block(profile: int, content: bytes) -> bytes:
    content += bytes(-len(content) % 4)
    return profile.to_bytes(2, "big") + (len(content) // 4).to_bytes(2, "big") + content


VALUES = st.binary(min_size=1, max_size=16)
ONE_BYTE = st.lists(st.tuples(st.integers(1, MAX_ID), VALUES), max_size=4).map(
    lambda items: block(0xBEDE, b"".join(bytes([i << 4 | len(v) - 1]) + v for i, v in items))
)
TWO_BYTES = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=40)), max_size=4).map(
    lambda items: block(0x1000, b"".join(bytes([i, len(v)]) + v for i, v in items))
)


@given(
    payload=st.binary(max_size=60),
    sources=st.lists(st.integers(0, 0xFFFFFFFF), max_size=3),
    extensions=st.one_of(st.just(b""), ONE_BYTE, TWO_BYTES),
    ident=st.integers(1, MAX_ID),
    value=VALUES,
)
def test_another_element_and_nothing_else(
    payload: bytes, sources: list[int], extensions: bytes, ident: int, value: bytes
) -> None:
    before = rtp(payload, sources, extensions)
    after = with_extension(before, ident, value)
    assert elements(after) == [*elements(before), (ident, value)]
    old, new = RtpPacket.parse(before), RtpPacket.parse(after)
    assert new.payload == old.payload == payload
    assert new.csrc == sources
    assert after[1:12] == before[1:12]


def test_aiortc_reads_the_sequence_number() -> None:

    known = HeaderExtensionsMap()
    known.configure(RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(id=4, uri=URI)]))
    packet = with_extension(rtp(b"payload", []), 4, bytes.fromhex("fffe"))
    assert RtpPacket.parse(packet, known).extensions.transport_sequence_number == 0xFFFE


def test_a_block_of_another_kind_is_left_alone() -> None:
    packet = rtp(b"payload", [], block(0x1234, b"mine"))
    assert with_extension(packet, 4, b"ab") == packet
