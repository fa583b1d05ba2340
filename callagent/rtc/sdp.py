# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads descriptions and candidates of the other side; whatever is wrong with them is a ValueError."""

from dataclasses import dataclass
from typing import Literal

from aiortc import RTCRtpSender
from aiortc.rtcicetransport import RTCIceCandidate
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.sdp import DIRECTIONS, MediaDescription, candidate_from_sdp, grouplines
from aiortc.sdp import SessionDescription as ParsedDescription

from callagent.ports import Candidate, Codec, SessionDescription

H264_PROFILE_LEVEL_ID = "42e01f"
"""Constrained baseline, level 3.1: what every WebRTC endpoint with H.264 has (RFC 7742 section 6.2)."""
MAX_CANDIDATES = 64

_CANDIDATE = "a=candidate:"
_END_OF_CANDIDATES = "a=end-of-candidates"


Kind = Literal["audio", "video"]

_KINDS: dict[str, Kind] = {"audio": "audio", "video": "video"}


@dataclass(frozen=True, slots=True)
class RemoteLine:
    """One m-line of the other side."""

    kind: Kind
    mid: str


@dataclass(frozen=True, slots=True)
class RemoteDescription:
    """A checked description; its candidates, those of the first line, are used like trickled ones."""

    sdp: str
    lines: tuple[RemoteLine, ...]
    candidates: tuple[RTCIceCandidate, ...]
    end_of_candidates: bool


def read_description(
    description: SessionDescription, expected: Literal["offer", "answer"]
) -> RemoteDescription:
    """Check what aiortc would trip over or silently ignore. Raises ValueError."""
    if description.type != expected:
        raise ValueError(f"expected an {expected}, got an {description.type}")
    text = description.sdp.splitlines()
    kept = [line for line in text if not line.startswith((_CANDIDATE, _END_OF_CANDIDATES))]
    sdp = "\r\n".join(kept) + "\r\n"
    try:
        parsed = ParsedDescription.parse(sdp)
    except (
        Exception
    ) as error:  # the parser checks with whatever came to hand: assertions, indices, StopIteration
        raise ValueError(f"the {expected} is not a session description: {error!r}") from error
    if not parsed.media:
        raise ValueError(f"the {expected} has no media")
    lines = tuple(_check_line(media) for media in parsed.media)
    if len({line.kind for line in lines}) != len(lines) or len({line.mid for line in lines}) != len(lines):
        raise ValueError("more than one line of a kind, or one mid for several lines")
    bundled = {item for group in parsed.group if group.semantic == "BUNDLE" for item in group.items}
    if len(lines) > 1 and not bundled.issuperset(line.mid for line in lines):
        raise ValueError("audio and video are not bundled")
    first_line = grouplines(description.sdp)[1][0]
    candidates = tuple(
        candidate
        for line in first_line
        if line.startswith(_CANDIDATE) and (candidate := _parse_candidate(line[len("a=") :])) is not None
    )
    return RemoteDescription(sdp, lines, candidates, _END_OF_CANDIDATES in first_line)


def _check_line(media: MediaDescription) -> RemoteLine:
    kind, mid = _KINDS.get(media.kind), media.rtp.muxId
    if kind is None:
        raise ValueError(f"a line of kind {media.kind} is not part of a call")
    if not mid:
        raise ValueError(f"the {kind} line has no mid")
    if media.direction not in DIRECTIONS:
        raise ValueError(f"the {kind} line has no direction")
    if not media.rtcp_mux:
        raise ValueError(f"the {kind} line does not multiplex RTCP")
    if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
        raise ValueError(f"the {kind} line has no ICE credentials")
    if media.dtls is None or not media.dtls.fingerprints:
        raise ValueError(f"the {kind} line has no DTLS fingerprint or role")
    return RemoteLine(kind, mid)


def read_candidate(candidate: Candidate) -> RTCIceCandidate | None:
    """A trickled candidate that is not the end of candidates; None for one we have no use for (TCP).

    Raises ValueError.
    """
    return _parse_candidate(candidate.candidate)


def _parse_candidate(text: str) -> RTCIceCandidate | None:
    try:
        candidate = candidate_from_sdp(text.removeprefix("candidate:"))
    except (AssertionError, ValueError) as error:
        raise ValueError(f"not an ICE candidate: {text[:200]!r}") from error
    if candidate.component != 1 or candidate.protocol.lower() != "udp":
        return None
    if not 0 < candidate.port < 1 << 16 or not 0 <= candidate.priority < 1 << 32:
        raise ValueError(f"not an ICE candidate: {text[:200]!r}")
    return candidate


def codec_preferences(kind: Kind, video: tuple[Codec, ...]) -> list[RTCRtpCodecCapability]:
    """For `setCodecPreferences`: Opus alone, or the video codecs in the wanted order with retransmission."""
    capabilities = RTCRtpSender.getCapabilities(kind).codecs
    if kind == "audio":
        return [capability for capability in capabilities if capability.name.lower() == Codec.OPUS]
    chosen = [
        capability for codec in video for capability in capabilities if _is_offered_as(codec, capability)
    ]
    return chosen + [capability for capability in capabilities if capability.name.lower() == "rtx"]


def _is_offered_as(codec: Codec, capability: RTCRtpCodecCapability) -> bool:
    if capability.name != codec:
        return False
    return codec is not Codec.H264 or capability.parameters["profile-level-id"] == H264_PROFILE_LEVEL_ID
