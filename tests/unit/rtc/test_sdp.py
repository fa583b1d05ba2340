# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.ports import Candidate, Codec, Layer, SessionDescription, TrackInfo, TrackSource
from callagent.rtc import RtcSettings
from callagent.rtc.sdp import RemoteLine, codec_preferences, read_candidate, read_description
from callagent.rtc.tracks import announced_track
from tests.unit.rtc.parts import Side

CHROMIUM_OFFER = (Path(__file__).parent / "data" / "chromium_offer.sdp").read_text()
LINES = CHROMIUM_OFFER.splitlines()


def offer(sdp: str) -> SessionDescription:
    return SessionDescription("offer", sdp)


def test_a_browsers_offer_is_read() -> None:
    host = "candidate:1 1 udp 2113937151 192.0.2.7 52272 typ host generation 0"
    at = LINES.index("a=mid:0")
    remote = read_description(offer("\r\n".join([*LINES[:at], f"a={host}", *LINES[at:]]) + "\r\n"), "offer")
    assert remote.lines == (RemoteLine("audio", "0"), RemoteLine("video", "1"))
    assert [candidate.ip for candidate in remote.candidates] == ["192.0.2.7"]
    assert "candidate" not in remote.sdp
    assert not remote.end_of_candidates


@pytest.mark.parametrize(
    ("settings", "codec"),
    [(RtcSettings(), "H264/90000"), (RtcSettings(video_codecs=(Codec.VP8,)), "VP8/90000")],
)
async def test_a_browsers_offer_is_answered(settings: RtcSettings, codec: str) -> None:
    session = Side("kiosk", settings).session("page")
    answer = await session.create_answer(offer(CHROMIUM_OFFER))
    await session.close()
    lines = answer.sdp.splitlines()
    video = lines[next(n for n, line in enumerate(lines) if line.startswith("m=video")) :]
    payload_type = video[0].split()[3]
    assert f"a=rtpmap:{payload_type} {codec}" in video
    if codec.startswith("H264"):
        parameters = next(line for line in video if line.startswith(f"a=fmtp:{payload_type} "))
        assert "packetization-mode=1" in parameters
        assert "profile-level-id=42e01f" in parameters
    assert "a=group:BUNDLE 0 1" in lines
    assert lines.count("a=rtcp-mux") == 2
    assert lines.count("a=sendrecv") == 2
    assert [track.mid for track in answer.tracks] == ["0", "1"]


async def test_an_offer_may_have_its_lines_in_any_order_or_audio_alone() -> None:
    audio, video = (
        LINES.index(next(x for x in LINES if x.startswith("m=audio"))),
        LINES.index(next(x for x in LINES if x.startswith("m=video"))),
    )
    head = [line.replace("BUNDLE 0 1", "BUNDLE 1 0") for line in LINES[:audio]]
    swapped = [*head, *LINES[video:], *LINES[audio:video]]
    alone = [line.replace("BUNDLE 0 1", "BUNDLE 0") for line in LINES[:video]]
    for lines, mids in ((swapped, ["1", "0"]), (alone, ["0"])):
        session = Side("kiosk").session("page")
        answer = await session.create_answer(offer("\r\n".join(lines) + "\r\n"))
        await session.close()
        assert [track.mid for track in answer.tracks] == mids


@pytest.mark.parametrize(
    "without",
    [
        "a=mid:0",
        "a=rtcp-mux",
        "a=ice-ufrag",
        "a=ice-pwd",
        "a=fingerprint",
        "a=setup",
        "a=group",
        "a=sendrecv",
        "m=",
    ],
)
def test_what_is_missing_is_told(without: str) -> None:
    lines = [line for line in LINES if not line.startswith(without)]
    with pytest.raises(ValueError):
        read_description(offer("\r\n".join(lines) + "\r\n"), "offer")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m=video", "m=application"),
        ("m=video", "m=audio"),
        ("a=mid:1", "a=mid:0"),
        ("a=setup:actpass", "a=setup:nonsense"),
        ("a=rtpmap:96", "a=rtpmap:x"),
        ("a=fmtp:111", "a=fmtp:9999"),
    ],
)
def test_what_is_wrong_is_told(old: str, new: str) -> None:
    assert old in CHROMIUM_OFFER
    with pytest.raises(ValueError):
        read_description(offer(CHROMIUM_OFFER.replace(old, new)), "offer")


def test_an_answer_is_no_offer() -> None:
    with pytest.raises(ValueError):
        read_description(SessionDescription("answer", CHROMIUM_OFFER), "offer")


mutations = st.lists(
    st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from(["drop", "double", "cut", "garble"])),
    max_size=6,
)


def mutate(changes: list[tuple[int, str]]) -> str:
    lines = list(LINES)
    for number, change in changes:
        at = number % len(lines)
        line = lines[at]
        lines[at : at + 1] = {
            "drop": [],
            "double": [line, line],
            "cut": [line[: len(line) // 2]],
            "garble": [line[:4] + "\0ÿ:" + line[4:][::-1]],
        }[change] or [""]
    return "\r\n".join(lines) + "\r\n"


@given(mutations)
def test_any_damage_is_read_or_refused(changes: list[tuple[int, str]]) -> None:
    try:
        remote = read_description(offer(mutate(changes)), "offer")
    except ValueError:
        return
    assert remote.lines


@given(st.text(max_size=200))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_description(offer(text), "offer")


@pytest.mark.parametrize("seed", range(25))
async def test_a_session_refuses_damage_with_a_value_error(seed: int) -> None:
    changes = [
        ((seed * 37 + n * 61) % len(LINES), ("drop", "double", "cut", "garble")[(seed + n) % 4])
        for n in range(3)
    ]
    session = Side("kiosk").session("page")
    try:
        answer = await session.create_answer(offer(mutate(changes)))
    except ValueError:
        pass
    else:
        assert answer.type == "answer"
    finally:
        await session.close()


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "candidate:",
        "candidate:1 1 udp x 1.2.3.4 5 typ host",
        "candidate:1 1 udp 1 1.2.3.4 70000 typ host",
    ],
)
def test_a_malformed_candidate_is_told(text: str) -> None:
    with pytest.raises(ValueError):
        read_candidate(Candidate(text, "0", 0))


def test_candidates_we_have_no_use_for() -> None:
    assert read_candidate(Candidate("candidate:2 1 tcp 15 192.0.2.9 9 typ host tcptype active", "0")) is None
    assert read_candidate(Candidate("candidate:2 2 udp 15 192.0.2.9 9 typ host", "0")) is None


@given(st.text(max_size=80))
def test_any_candidate_is_read_or_refused(text: str) -> None:
    try:
        candidate = read_candidate(Candidate(text, "0", 0))
    except ValueError:
        return
    assert candidate is None or candidate.component == 1


def test_codec_order_follows_the_settings() -> None:
    names = [codec.name for codec in codec_preferences("video", (Codec.VP8, Codec.H264))]
    assert names == ["VP8", "H264", "rtx"]
    assert [codec.name for codec in codec_preferences("audio", (Codec.VP8,))] == ["opus"]


def test_what_is_announced_must_fit_its_line() -> None:
    camera = TrackInfo("bob/camera/h", "bob", TrackSource.CAMERA, Layer.HIGH, "0")
    screen = TrackInfo("bob/screen/h", "bob", TrackSource.SCREEN, Layer.HIGH, "1")
    assert announced_track("audio", "0", "bob", [camera]).source is TrackSource.MICROPHONE
    assert announced_track("video", "1", "bob", [camera, screen]) is screen


@pytest.mark.parametrize(
    "wrong",
    [
        {"video_codecs": ()},
        {"video_codecs": (Codec.OPUS,)},
        {"video_codecs": (Codec.VP8, Codec.VP8)},
        {"connect_timeout_s": 0},
        {"video_send_frames": 0},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        RtcSettings(**wrong)  # type: ignore[arg-type]
