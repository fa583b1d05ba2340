# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of several web phones through a real media server, and to it and from it without a gap."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.clips import write_small_clip
from tests.browser.conftest import CLIP_IDENT, OTHER_CLIP_IDENT, OTHER_TONE_HZ, TONE_HZ
from tests.browser.phone import Phone, wait_until
from tests.browser.service import RunningService, running_service
from tests.browser.three import OPEN_CONNECTIONS, Three
from tests.janus_server import JanusServer

LONGEST_GAP_MS = 500
CONNECTIONS_OF_THREE = 3
"""One to send by, one for each of the others."""
SMALL_HEIGHT = 180
FULL_HEIGHT = 272
_HEIGHT = "user => document.querySelector(`[data-testid='tile-${user}'] video`).videoHeight"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with (
        JanusServer() as janus,
        running_service(tmp_path_factory.mktemp("service"), media_servers=[janus.config]) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_clip(tmp_path_factory.mktemp("clips"), CLIP_IDENT)


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_clip(tmp_path_factory.mktemp("clips"), OTHER_CLIP_IDENT)


async def placement(phone: Phone) -> str:
    placed: str = (await phone.state())["call"]["placement"]
    return placed


async def watch(phone: Phone, user: str) -> float:
    """Pictures of that user come; the page's time from which a gap counts."""
    await phone.watch_own_picture()
    await phone.watch_frames(user)
    await phone.wait_for_pictures_after(await phone.now_ms(), 5, user)
    return await phone.now_ms()


async def test_three_through_the_media_server_and_two_without(three: Three) -> None:
    anna, ben, cleo = three.anna, three.ben, three.cleo
    await three.call()
    assert [await placement(phone) for phone in (anna, ben, cleo)] == ["sfu"] * 3
    await wait_until(anna.page, OPEN_CONNECTIONS, CONNECTIONS_OF_THREE, deadline_s=10)
    assert {f.ident for f in await anna.wait_for_frames(10, three.ben_id)} == {OTHER_CLIP_IDENT}
    assert {f.ident for f in await ben.wait_for_frames(10, three.cleo_id)} == {CLIP_IDENT}
    await anna.wait_for_tone(OTHER_TONE_HZ, three.ben_id, present=True)
    await ben.wait_for_tone(TONE_HZ, three.cleo_id, present=True)

    await ben["mute"].click()
    await anna.wait_for_tone(OTHER_TONE_HZ, three.ben_id, present=False)
    await ben["camera"].click()
    await anna.wait_for_picture(three.ben_id, shown=False)
    await ben["camera"].click()
    await anna.wait_for_picture(three.ben_id)
    epoch = (await anna.state())["call"]["epoch"]

    since = await watch(anna, three.ben_id)
    await cleo["hangup"].click()
    await anna.wait_for_layout("solo")
    await wait_until(anna.page, "epoch => callagentPhone.state().call.epoch > epoch", epoch)
    assert await placement(anna) == "p2p"
    await wait_until(anna.page, OPEN_CONNECTIONS, 1, deadline_s=10)
    await anna.wait_for_pictures_after(await anna.now_ms(), 15, three.ben_id)
    assert await anna.gap_without_own_ms(since, three.ben_id) <= LONGEST_GAP_MS
    await ben["hangup"].click()
    await anna.wait_for_phase("ended")


async def test_the_third_is_invited_into_a_call_of_two(three: Three) -> None:
    """From one connection between two into a room of three."""
    anna, ben, cleo = three.anna, three.ben, three.cleo
    await anna.call(three.ben_id)
    await ben.wait_for_phase("incoming")
    await ben["answer-video"].click()
    await anna.wait_for_picture()
    await ben.wait_for_picture()
    assert await placement(anna) == "p2p"
    since = await watch(anna, three.ben_id)
    since_at_ben = await watch(ben, three.anna_id)
    await anna["people"].click()
    await anna[f"invite-{three.cleo_id}"].locator("input").check()
    await anna["people-invite"].click()
    await cleo.wait_for_phase("incoming")
    await cleo["answer-video"].click()
    await three.all_see_all()
    assert await placement(anna) == "sfu"
    await wait_until(anna.page, OPEN_CONNECTIONS, CONNECTIONS_OF_THREE, deadline_s=15)
    await anna.wait_for_pictures_after(await anna.now_ms(), 15, three.ben_id)
    await ben.wait_for_pictures_after(await ben.now_ms(), 15, three.anna_id)
    assert await anna.gap_without_own_ms(since, three.ben_id) <= LONGEST_GAP_MS
    assert await ben.gap_without_own_ms(since_at_ben, three.anna_id) <= LONGEST_GAP_MS


async def test_the_large_tile_takes_the_large_picture(three: Three) -> None:
    anna = three.anna
    await three.call()
    for user in (three.ben_id, three.cleo_id):
        await wait_until(anna.page, f"([user, height]) => ({_HEIGHT})(user) === height", [user, FULL_HEIGHT])
    await anna.page.get_by_role("button", name=f"Show {three.ben_id} large").click()
    await anna.wait_for_layout("focus")
    small = f"([user, height]) => ({_HEIGHT})(user) <= height"
    await wait_until(anna.page, small, [three.cleo_id, SMALL_HEIGHT])
    assert await anna.page.evaluate(_HEIGHT, three.ben_id) > SMALL_HEIGHT
    await anna.wait_for_pictures_after(await anna.now_ms(), 10, three.cleo_id)
    await anna.page.keyboard.press("Escape")
    await anna.wait_for_layout("grid")
    await wait_until(
        anna.page, f"([user, height]) => ({_HEIGHT})(user) > height", [three.cleo_id, SMALL_HEIGHT]
    )


async def test_who_joins_by_link_sees_and_is_seen(three: Three) -> None:
    anna, ben, cleo = three.anna, three.ben, three.cleo
    await anna.call(three.ben_id)
    await ben.wait_for_phase("incoming")
    await ben["answer-video"].click()
    await anna.wait_for_picture()
    call_id = (await anna.state())["call"]["callId"]
    await cleo.page.evaluate("call => void (location.hash = `join=${call}`)", call_id)
    await cleo.wait_for_phase("connected")
    for other in (three.anna_id, three.ben_id):
        await cleo.wait_for_picture(other)
    assert await placement(cleo) == "sfu"
    await anna.wait_for_tone(TONE_HZ, three.cleo_id, present=True)
    await expect(anna[f"tile-{three.cleo_id}"]).to_have_attribute("data-picture", "false")
    await cleo["camera"].click()
    await anna.wait_for_picture(three.cleo_id)


async def test_a_dead_way_from_the_media_server_is_made_anew(three: Three) -> None:
    """Within the epoch: the others notice nothing."""
    anna = three.anna
    await three.call()
    await wait_until(anna.page, OPEN_CONNECTIONS, CONNECTIONS_OF_THREE, deadline_s=10)
    epoch = (await anna.state())["call"]["epoch"]
    made = await anna.page.evaluate("connections.length")
    # As if the network under one of them had gone.
    await anna.page.evaluate(
        """() => connections.findLast((pc) =>
          pc.getTransceivers().every(({ direction }) => direction === "recvonly") && pc.getReceivers().length,
        ).close()"""
    )
    await wait_until(anna.page, "made => connections.length > made", made, deadline_s=20)
    for user in (three.ben_id, three.cleo_id):
        await anna.watch_frames(user)
        await anna.wait_for_pictures_after(await anna.now_ms(), 15, user)
    assert (await anna.state())["call"]["epoch"] == epoch
