# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of several web phones: together, invited, joined by link, large and small, and back to two."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.chromium import Chromium, chromium
from tests.browser.clients import Clients
from tests.browser.clips import write_small_clip
from tests.browser.conftest import CLIP_IDENT, OTHER_CLIP_IDENT, OTHER_TONE_HZ, TONE_HZ
from tests.browser.phone import Phone, wait_until
from tests.browser.service import RunningService
from tests.browser.three import OPEN_CONNECTIONS, Three

LONGEST_GAP_MS = 500
PLACEMENT = "mesh"
"""Of a call of three at a service without a media server."""
CONNECTIONS_OF_THREE = 2


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small: three pages encode and decode it six times over."""
    return write_small_clip(tmp_path_factory.mktemp("clips"), CLIP_IDENT)


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_clip(tmp_path_factory.mktemp("clips"), OTHER_CLIP_IDENT)


async def test_three_call_each_other_and_go_on_as_two(three: Three) -> None:
    anna, ben, cleo = three.anna, three.ben, three.cleo
    await anna.call_together([three.ben_id, three.cleo_id])
    await anna.wait_for_phase("outgoing")
    await expect(anna["call-name"]).to_have_text(f"{three.ben_id} and {three.cleo_id}")
    for phone, other in ((ben, three.cleo_id), (cleo, three.ben_id)):
        await phone.wait_for_phase("incoming")
        await expect(phone["call-name"]).to_have_text(three.anna_id)
        await expect(phone["call-also"]).to_have_text(f"with {other}")
    await ben["answer-video"].click()
    await anna.wait_for_phase("connected")
    await anna.wait_for_layout("grid")  # Ben, and Cleo who still rings
    await expect(anna[f"tile-{three.cleo_id}"]).to_contain_text("Ringing")
    await cleo["answer-video"].click()
    await three.all_see_all()

    assert {f.ident for f in await anna.wait_for_frames(10, three.ben_id)} == {OTHER_CLIP_IDENT}
    assert {f.ident for f in await anna.wait_for_frames(10, three.cleo_id)} == {CLIP_IDENT}
    await anna.wait_for_tone(OTHER_TONE_HZ, three.ben_id, present=True)
    await anna.wait_for_tone(TONE_HZ, three.cleo_id, present=True)
    await ben.wait_for_tone(TONE_HZ, three.cleo_id, present=True)
    await expect(anna[f"tile-{three.ben_id}"]).to_have_attribute("data-speaking", "true")

    await ben["mute"].click()
    await anna.wait_for_tone(OTHER_TONE_HZ, three.ben_id, present=False)
    await expect(anna[f"tile-{three.ben_id}"]).to_have_attribute("data-muted", "true")
    await expect(anna[f"tile-{three.ben_id}"]).to_have_attribute("data-speaking", "false")
    await cleo["camera"].click()
    await anna.wait_for_picture(three.cleo_id, shown=False)

    epoch = (await anna.state())["call"]["epoch"]
    await anna.watch_own_picture()
    await anna.wait_for_pictures_after(await anna.now_ms(), 5, three.ben_id)
    since = await anna.now_ms()
    await cleo["hangup"].click()
    await anna.wait_for_layout("solo")
    await wait_until(anna.page, "epoch => callagentPhone.state().call.epoch > epoch", epoch)
    await wait_until(anna.page, OPEN_CONNECTIONS, 1, deadline_s=10)
    await anna.wait_for_pictures_after(await anna.now_ms(), 15, three.ben_id)
    assert await anna.gap_without_own_ms(since, three.ben_id) <= LONGEST_GAP_MS
    await anna.wait_for_picture()
    await expect(anna["notices"]).to_contain_text(f"{three.cleo_id} left the call")
    await cleo.wait_for_phase("ended")

    await ben["hangup"].click()
    await anna.wait_for_phase("ended")
    await expect(anna["call-status"]).to_contain_text(f"{three.ben_id} hung up")


async def test_the_third_is_invited_while_two_see_each_other(three: Three) -> None:
    anna, ben, cleo = three.anna, three.ben, three.cleo
    await anna.call(three.ben_id)
    await ben.wait_for_phase("incoming")
    await ben["answer-video"].click()
    await anna.wait_for_picture()
    await ben.wait_for_picture()
    await anna.watch_own_picture()
    await anna.watch_frames(three.ben_id)
    await anna.wait_for_pictures_after(await anna.now_ms(), 5, three.ben_id)
    since = await anna.now_ms()

    await anna["people"].click()
    await anna[f"invite-{three.cleo_id}"].locator("input").check()
    await anna["people-invite"].click()
    for phone in (anna, ben):
        await phone.wait_for_layout("grid")
        await expect(phone[f"tile-{three.cleo_id}"]).to_have_attribute("data-ringing", "true")
    await cleo.wait_for_phase("incoming")
    await cleo["answer-video"].click()
    await three.all_see_all()
    assert (await anna.state())["call"]["placement"] == PLACEMENT
    await wait_until(anna.page, OPEN_CONNECTIONS, CONNECTIONS_OF_THREE, deadline_s=10)
    await anna.wait_for_pictures_after(await anna.now_ms(), 15, three.ben_id)
    assert await anna.gap_without_own_ms(since, three.ben_id) <= LONGEST_GAP_MS

    await anna["hangup"].click()  # who called may go: the others go on
    await anna.wait_for_phase("ended")
    await ben.wait_for_layout("solo")
    await ben.wait_for_picture()
    await cleo["hangup"].click()
    await ben.wait_for_phase("ended")


@pytest.mark.parametrize("way", ["id", "link"])
async def test_a_running_call_is_joined(three: Three, service: RunningService, way: str) -> None:
    anna, ben, cleo = three.anna, three.ben, three.cleo
    await anna.call(three.ben_id)
    await ben.wait_for_phase("incoming")
    await ben["answer-video"].click()
    await anna.wait_for_picture()
    await anna["people"].click()
    link = await anna["call-link"].input_value()
    await anna["people-close"].click()

    if way == "id":
        await cleo["open-join"].click()
        await cleo["join-field"].fill("no call")
        await cleo["join-submit"].click()
        await expect(cleo["join-error"]).to_be_visible()
        await cleo["join-field"].fill(link.rpartition("=")[2])
        await cleo["join-field"].press("Enter")
    else:
        await cleo.page.evaluate("link => void (location.href = link)", link)
    await cleo.wait_for_phase("connected")
    for other in (three.anna_id, three.ben_id):
        await cleo.wait_for_picture(other)
    await anna.wait_for_layout("grid")
    await expect(anna[f"tile-{three.cleo_id}"]).to_have_attribute("data-picture", "false")
    assert not (await cleo.state())["cameraOn"], "who joins is seen only when it wants to be"
    await anna.wait_for_tone(TONE_HZ, three.cleo_id, present=True)
    await cleo["camera"].click()
    await anna.wait_for_picture(three.cleo_id)
    await cleo["hangup"].click()
    await anna.wait_for_layout("solo")
    await anna["hangup"].click()
    await ben.wait_for_phase("ended")


async def test_a_call_that_is_over_cannot_be_joined(
    browser: Chromium, service: RunningService, clients: Clients
) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    anna = await Phone(await browser.page()).open_signed_in(service.link(anna_id))
    ben = await clients.login(ben_id)
    call = await ben.ok("calls", userIdList=[anna_id], mediaType=1)
    await ben.ok("hangup", callId=call["callId"])
    await anna["open-join"].click()
    await anna["join-field"].fill(call["callId"])
    await anna["join-submit"].click()
    await expect(anna["notices"]).to_contain_text("This call is over")
    await expect(anna.page.locator("#screen-home")).to_be_visible()
    assert (await anna.state())["call"]["status"] == "idle"


async def test_who_does_not_come_is_named(
    browser: Chromium, service: RunningService, clients: Clients
) -> None:
    """Busy, declined, connected; and when nobody is left, that nobody could take the call."""
    anna_id, *others = service.people("anna", "ben", "cleo", "dora", "emil")
    anna = await Phone(await browser.page()).open_signed_in(service.link(anna_id))
    ben, cleo, dora, emil = [await clients.login(user) for user in others]
    await ben.ok("calls", userIdList=[others[3]], mediaType=1)
    await emil.event("onCallReceived")
    await expect(anna[f"contact-{others[0]}"]).to_have_attribute("data-presence", "busy")
    await anna.call_together(others[:3], video=False)
    call = await cleo.event("onCallReceived")
    assert call["calleeIdList"] == others[:3]
    await expect(anna["notices"]).to_contain_text(f"{others[0]} is busy")
    await cleo.ok("reject", callId=call["callId"])
    await expect(anna["notices"]).to_contain_text(f"{others[1]} declined")
    await anna.wait_for_phase("outgoing")
    await dora.ok("reject", callId=call["callId"])
    await anna.wait_for_phase("ended")
    await expect(anna["call-status"]).to_have_text("Nobody could take the call")
    await anna["ended-close"].click()
    row = anna["history-list"].locator("li").first
    await expect(row).to_contain_text(f"{others[0]}, {others[1]} and {others[2]}")


async def test_one_of_several_devices_takes_the_call(
    browser: Chromium, other_browser: Chromium, service: RunningService
) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    anna = await Phone(await browser.page()).open_signed_in(service.link(anna_id))
    desk = await Phone(await other_browser.page()).open_signed_in(service.link(ben_id))
    sofa = await Phone(await other_browser.page()).open_signed_in(service.link(ben_id))
    await anna.call(ben_id)
    for phone in (desk, sofa):
        await phone.wait_for_phase("incoming")
    await sofa["answer-video"].click()
    await expect(desk["notices"]).to_contain_text("Answered on another device")
    await expect(desk.page.locator("#screen-home")).to_be_visible()
    await anna.wait_for_picture()
    assert {f.ident for f in await sofa.wait_for_frames(5)} == {CLIP_IDENT}
    assert (await desk.state())["microphoneOn"] is False
    await sofa["hangup"].click()
    await anna.wait_for_phase("ended")


async def test_a_tile_is_made_large_by_touch_and_by_key(three: Three) -> None:
    anna = three.anna
    await three.call()
    tile = anna[f"tile-{three.ben_id}"]
    enlarge = anna.page.get_by_role("button", name=f"Show {three.ben_id} large")
    small = await tile.bounding_box()
    await enlarge.click()
    await anna.wait_for_layout("focus")
    large = await tile.bounding_box()
    assert small is not None
    assert large is not None
    await wait_until(
        anna.page,
        "([tile, width]) => document.querySelector(tile).getBoundingClientRect().width > width * 1.3",
        [f"[data-testid='tile-{three.ben_id}']", small["width"]],
    )
    state = await anna.state()
    assert state["stage"]["layers"] == {three.ben_id: "h", three.cleo_id: "l"}
    await anna.page.keyboard.press("Escape")
    await anna.wait_for_layout("grid")
    await enlarge.focus()
    await anna.page.keyboard.press("Enter")
    await anna.wait_for_layout("focus")
    await anna.wait_for_pictures_after(await anna.now_ms(), 5, three.ben_id)
    await anna.page.get_by_role("button", name="Show everybody alike").click()
    await anna.wait_for_layout("grid")


async def test_another_camera_takes_over_without_a_gap(service: RunningService) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    # The browser's second camera measures depth.
    async with chromium(devices=3) as browser:
        anna = await Phone(await browser.page()).open_signed_in(service.link(anna_id))
        ben = await Phone(await browser.page()).open_signed_in(service.link(ben_id))
        await anna.call(ben_id)
        await ben.wait_for_phase("incoming")
        await ben["answer-video"].click()
        await ben.wait_for_picture()
        await anna["call-settings"].click()
        cameras = anna["setting-camera"].locator("option:not([value=''])")
        await expect(cameras).to_have_count(3)
        used = "document.querySelector('#local-video').srcObject.getTracks()[0].getSettings().deviceId"
        before = await anna.page.evaluate(used)
        others = [await option.get_attribute("value") for option in await cameras.all()]
        other = others[-1]
        assert other is not None
        assert other != before
        await ben.wait_for_pictures_after(await ben.now_ms(), 5)
        since = await ben.now_ms()
        await anna["setting-camera"].select_option(other)
        await wait_until(anna.page, f"other => {used} === other", other)
        await ben.wait_for_pictures_after(await ben.now_ms(), 15)
        assert await ben.longest_gap_ms(since) <= LONGEST_GAP_MS

        speakers = anna["setting-speaker"].locator("option:not([value=''])")
        speaker = await speakers.first.get_attribute("value")
        assert speaker is not None
        await anna["setting-speaker"].select_option(speaker)
        sinks = "Array.from(document.querySelectorAll('.tile.remote video'), (video) => video.sinkId)"
        await wait_until(anna.page, f"speaker => {sinks}.every((sink) => sink === speaker)", speaker)
        await anna["settings-close"].click()
        await anna["hangup"].click()
        await ben.wait_for_phase("ended")


async def test_a_chosen_camera_is_taken_again_when_it_comes_back(
    browser: Chromium, service: RunningService
) -> None:
    """It is told by the browser; the settings' list follows."""
    (anna_id,) = service.people("anna")
    scripted = """
      window.present = [];
      const listed = MediaDevices.prototype.enumerateDevices;
      MediaDevices.prototype.enumerateDevices = async function () {
        return [...(await listed.call(this)), ...window.present];
      };
      window.asked = [];
      const opened = MediaDevices.prototype.getUserMedia;
      MediaDevices.prototype.getUserMedia = function (constraints) {
        window.asked.push(constraints.video?.deviceId?.exact ?? null);
        return opened.call(this, constraints);
      };"""
    anna = await Phone(await browser.page(init_scripts=(scripted,))).open_signed_in(service.link(anna_id))
    asked = await anna.page.evaluate(
        """async () => {
          const { BrowserDevices } = await import("/sdk/index.js");
          const devices = new BrowserDevices({ cameraId: "better" });
          const reopen = [];
          devices.addEventListener("reopen", ({ detail }) => reopen.push(detail.kind));
          const track = await devices.open("camera");
          const fallback = track.readyState;
          const once = { once: true };
          const plugged = new Promise((resolve) => devices.addEventListener("change", resolve, once));
          present.push({ kind: "videoinput", deviceId: "better", label: "Better camera" });
          navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
          const { detail } = await plugged;
          await new Promise((resolve) => setTimeout(resolve, 0));
          track.stop();
          return [fallback, asked, reopen, detail.camera.map(({ name }) => name).at(-1)];
        }"""
    )
    assert asked == ["live", ["better", None], ["camera"], "Better camera"]


async def test_two_go_on_without_pictures(
    browser: Chromium, other_browser: Chromium, service: RunningService
) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    anna = await Phone(await browser.page()).open_signed_in(service.link(anna_id))
    ben = await Phone(await other_browser.page()).open_signed_in(service.link(ben_id))
    await anna.call(ben_id)
    await ben.wait_for_phase("incoming")
    await ben["answer-video"].click()
    await anna.wait_for_picture()
    await anna["call-settings"].click()
    await anna["switch-to-audio"].click()
    for phone in (anna, ben):
        await phone.wait_for_picture(shown=False)
        await expect(phone["call-status"]).to_have_text("Audio call")
        await expect(phone["notices"]).to_contain_text("without pictures")
        assert not (await phone.state())["cameraOn"]
    await asyncio.gather(
        anna.wait_for_tone(OTHER_TONE_HZ, present=True), ben.wait_for_tone(TONE_HZ, present=True)
    )
