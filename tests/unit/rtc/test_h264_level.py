# SPDX-License-Identifier: GPL-3.0-or-later
"""The level of H.264 that a description states."""

import re
from pathlib import Path

import pytest
from aiortc.sdp import H264Profile, parse_h264_profile_level_id

from callagent.rtc import RtcSettings
from callagent.rtc.h264_level import level_for, with_level
from tests.unit.rtc.parts import Side, call, reached

OFFER = Path(__file__).parent / "data/chromium_offer.sdp"


@pytest.mark.parametrize(
    ("size", "level"),
    [
        ((640, 480, 15), 31),
        ((1280, 720, 30), 31),
        ((720, 1280, 30), 31),
        ((1280, 720, 60), 32),
        ((1920, 1080, 30), 40),
        ((1080, 1920, 30), 40),
        ((1920, 1080, 60), 42),
        ((3840, 2160, 30), 51),
    ],
)
def test_a_size_needs_its_level(size: tuple[int, int, int], level: int) -> None:
    assert level_for(*size) == level


def test_only_the_level_is_another() -> None:
    before = OFFER.read_text()
    after = with_level(before, 40)
    ids = re.findall(r"profile-level-id=(\w+)", before)
    assert re.findall(r"profile-level-id=(\w+)", after) == [f"{each[:4]}28" for each in ids]
    assert re.sub(r"(profile-level-id=\w{4})\w\w", r"\1", after) == re.sub(
        r"(profile-level-id=\w{4})\w\w", r"\1", before
    )
    profile, level = parse_h264_profile_level_id("42e028")
    assert (profile, level.value) == (H264Profile.PROFILE_CONSTRAINED_BASELINE, 40)


async def test_a_higher_level_is_negotiated_and_media_flows() -> None:
    """Against the level this side was not offered: aiortc compares profiles alone."""
    settings = RtcSettings(h264_level=level_for(1920, 1080, 30))
    one, other = Side("one", settings), Side("other")
    async with call(one, other) as (caller, callee):
        await reached(other.video(callee), 5)
        await reached(one.video(caller), 5)
        assert (await caller.statistics())["video_codec"] == "H264"
        assert (await callee.statistics())["video_codec"] == "H264"
    session = Side("third", settings).session("page")
    offer = await session.create_offer()
    await session.close()
    assert "profile-level-id=42e028" in offer.sdp
    assert "42e01f" not in offer.sdp
