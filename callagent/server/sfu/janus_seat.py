# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of Janus' VideoRoom plugin, and what it answers: rooms, publishers, subscribers.

Source: Janus' documentation, "VideoRoom plugin"; 1.1.2 (multistream).
"""

import re
from collections.abc import Mapping, Sequence

from callagent.protocol.media import IceCandidate
from callagent.server.sfu.backend import Refused, VideoCodec
from callagent.server.sfu.janus_wire import Json, data_of

PLUGIN = "janus.plugin.videoroom"
MAX_BITRATE = 3_000_000
"""Of one publisher, both layers and sound, in bit/s: 1080p with something to spare."""
MAX_PUBLISHERS = 100

_RTPMAP = re.compile(r"^a=rtpmap:(\d+) ([A-Za-z0-9-]+)/", re.MULTILINE)
_VIDEO_LINE = re.compile(r"^m=video \S+ \S+ ([\d ]+)", re.MULTILINE)


def room(number: int, name: str) -> Json:
    """Made for one epoch of one call. Key frames are asked for by subscribers, not by the clock."""
    return {
        "request": "create",
        "room": number,
        "description": name,
        "permanent": False,
        "publishers": MAX_PUBLISHERS,
        "bitrate": MAX_BITRATE,
        "bitrate_cap": True,
        "fir_freq": 0,
        "audiocodec": "opus",
        "opus_fec": True,
        "videocodec": "h264,vp8",
        "h264_profile": "42e01f",
        "transport_wide_cc_ext": True,
        "videoorient_ext": True,
        "audiolevel_event": False,
        "notify_joining": False,
    }


def publish(number: int, feed: int, sdp: str, descriptions: Mapping[str, str]) -> Json:
    """The codec is the one the offer names first of those the room takes."""
    return {
        "request": "joinandconfigure",
        "ptype": "publisher",
        "room": number,
        "id": feed,
        "audiocodec": "opus",
        "videocodec": preferred_codec(sdp),
        "descriptions": [{"mid": mid, "description": text} for mid, text in descriptions.items()],
    }


def subscribe(number: int, feed: int, mids: Sequence[str]) -> Json:
    """Without offers of Janus' own accord when the publisher leaves: the service ends the seat."""
    return {
        "request": "join",
        "ptype": "subscriber",
        "room": number,
        "autoupdate": False,
        "streams": [{"feed": feed, "mid": mid} for mid in mids],
    }


def switch(own_mid: str, feed: int, mid: str) -> Json:
    return {"request": "switch", "streams": [{"feed": feed, "mid": mid, "sub_mid": own_mid}]}


def send(own_mid: str, on: bool) -> Json:
    """Whether an m-line of a subscriber gets what it is subscribed to; on with a key frame."""
    return {"request": "configure", "streams": [{"mid": own_mid, "send": on}]}


def trickle(candidate: IceCandidate) -> Json:
    """The candidate as Janus takes it; an empty one ends the list."""
    if not candidate.candidate:
        return {"completed": True}
    said: Json = {"candidate": candidate.candidate}
    if candidate.sdp_mid is not None:
        said["sdpMid"] = candidate.sdp_mid
    if candidate.sdp_m_line_index is not None:
        said["sdpMLineIndex"] = candidate.sdp_m_line_index
    return said


def sdp_of(message: Json, kind: str) -> str:
    """The offer or answer that comes with an event. Raises Refused when there is none."""
    jsep = message.get("jsep")
    if not isinstance(jsep, dict) or jsep.get("type") != kind or not isinstance(jsep.get("sdp"), str):
        raise Refused(f"the media server gave no {kind}")
    sdp: str = jsep["sdp"]
    return sdp


def subscribed_mids(message: Json) -> dict[str, str]:
    """Of an `attached` event: the publisher's m-line ids and what each is in the subscription."""
    return {
        str(stream["feed_mid"]): str(stream["mid"])
        for stream in data_of(message).get("streams", ())
        if "feed_mid" in stream and "mid" in stream
    }


def switched(message: Json, own_mid: str, mid: str) -> bool:
    """Of a `switched` event: whether `own_mid` is fed by that m-line now (it may have been before)."""
    return subscribed_mids(message).get(mid) == own_mid


def preferred_codec(sdp: str) -> VideoCodec:
    """Of the codecs a room takes the one the offer's first video m-line names first."""
    line = _VIDEO_LINE.search(sdp)
    if line is not None:
        names = {number: name.lower() for number, name in _RTPMAP.findall(sdp)}
        for number in line[1].split():
            match names.get(number):
                case "h264":
                    return "h264"
                case "vp8":
                    return "vp8"
                case _:
                    continue
    return "h264"
