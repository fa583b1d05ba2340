# SPDX-License-Identifier: GPL-3.0-or-later
"""Two web phones in two browsers call each other through the real service."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.browser.chromium import Chromium, chromium
from tests.browser.conftest import CLIP_IDENT, OTHER_CLIP_IDENT, OTHER_TONE_HZ, TONE_HZ
from tests.browser.phone import FrameSample, Phone, wait_until
from tests.browser.service import RunningService

_SOCKETS = """
  window.sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...args) { super(...args); sockets.push(this); }
  };"""
_RECORD = """() => {
  window.heard = [];
  const names = ["onUserVideoAvailable", "onUserAudioAvailable", "onCallEnd", "onCallNotConnected",
                 "onCallReceived", "onCallBegin"];
  for (const name of names) callagentPhone.engine.on(name, (data) => heard.push([name, data]));
}"""


def assert_flowing(frames: Sequence[FrameSample], ident: int) -> None:
    """The right picture, forwards, without long holes. The clip starts again after its last frame."""
    assert {frame.ident for frame in frames} == {ident}
    steps = [(b.counter - a.counter) for a, b in itertools.pairwise(frames)]
    assert sum(step < 0 for step in steps) <= 1, "the picture runs backwards"
    gaps = [b.at_ms - a.at_ms for a, b in itertools.pairwise(frames)]
    assert max(gaps[len(gaps) // 3 :]) < 1000, f"a hole of {max(gaps):.0f} ms"


async def connect(
    anna: Phone, ben: Phone, service: RunningService, *, video: bool = True, answer: str | None = None
) -> tuple[str, str]:
    """Both signed in, anna calls, ben answers; their user ids."""
    anna_id, ben_id = service.people("anna", "ben")
    await anna.open_signed_in(service.link(anna_id))
    await ben.open_signed_in(service.link(ben_id))
    await anna.call(ben_id, video=video)
    await ben.wait_for_phase("incoming")
    await ben[answer or ("answer-video" if video else "answer-audio")].click()
    await anna.wait_for_phase("connected")
    await ben.wait_for_phase("connected")
    return anna_id, ben_id


async def test_video_and_sound_both_ways_mute_camera_hang_up(
    browser: Chromium, other_browser: Chromium, service: RunningService
) -> None:
    anna = Phone(await browser.page())
    ben = Phone(await other_browser.page(viewport=(360, 740), touch=True))
    _, ben_id = await connect(anna, ben, service)
    await anna.wait_for_picture()
    await ben.wait_for_picture()
    seen_by_anna, seen_by_ben = await asyncio.gather(anna.wait_for_frames(40), ben.wait_for_frames(40))
    assert_flowing(seen_by_anna, OTHER_CLIP_IDENT)
    assert_flowing(seen_by_ben, CLIP_IDENT)
    await anna.wait_for_tone(OTHER_TONE_HZ, present=True)
    await ben.wait_for_tone(TONE_HZ, present=True)

    await anna["mute"].click()
    await expect(anna["mute"]).to_have_attribute("aria-pressed", "true")
    await ben.wait_for_tone(TONE_HZ, present=False)
    await expect(ben["call-chip"]).to_have_text("Microphone is off")
    await anna["mute"].click()
    await ben.wait_for_tone(TONE_HZ, present=True)
    await expect(ben["call-chip"]).to_be_hidden()

    await anna["camera"].click()
    await ben.wait_for_picture(shown=False)
    await expect(ben["call-status"]).to_have_text("Camera is off")
    await expect(anna["local-video"]).to_be_hidden()
    await anna["camera"].click()
    await ben.wait_for_picture()
    before = len(await ben.frames())
    await ben.wait_for_frames(before + 20)

    await ben["hangup"].click()
    for phone in (anna, ben):
        await phone.wait_for_phase("ended")
        assert (await phone.state())["ended"]["reason"] == 1
        assert (await phone.state())["call"]["status"] == "idle"
    await expect(anna["call-status"]).to_contain_text(f"{ben_id} hung up")
    await anna["ended-close"].click()
    row = anna["history-list"].locator("li").first
    await expect(row).to_contain_text(ben_id)
    await expect(row).to_contain_text("Outgoing · 0:")
    assert browser.log(anna.page).errors == []
    assert other_browser.log(ben.page).errors == []


async def test_reject_cancel_and_the_second_call_starts_fresh(
    browser: Chromium, other_browser: Chromium, service: RunningService
) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    anna, ben = Phone(await browser.page()), Phone(await other_browser.page())
    await anna.open_signed_in(service.link(anna_id))
    await ben.open_signed_in(service.link(ben_id))

    await anna.call(ben_id)
    await ben.wait_for_phase("incoming")
    await expect(ben.page).to_have_title(f"{anna_id} is calling")
    await ben["reject"].click()
    await expect(ben[f"contact-{anna_id}"]).to_be_visible()
    await expect(ben.page).to_have_title("callagent")
    await anna.wait_for_phase("ended")
    await expect(anna["call-status"]).to_have_text(f"{ben_id} declined")

    await anna["call-again"].click()
    await anna.wait_for_phase("outgoing")
    await ben.wait_for_phase("incoming")
    await anna["mute"].click()
    await anna["hangup"].click()
    await expect(anna[f"contact-{ben_id}"]).to_be_visible()
    await expect(ben[f"contact-{anna_id}"]).to_be_visible()
    await expect(ben["notices"]).to_contain_text(f"missed a call from {anna_id}")
    await expect(ben["history-list"].locator("[data-result=missed]").first).to_be_visible()

    await anna.call(ben_id, video=False)
    await ben.wait_for_phase("incoming")
    await expect(ben["answer-video"]).to_be_hidden()
    await ben["answer-audio"].click()
    await anna.wait_for_phase("connected")
    state = await anna.state()
    assert (state["microphoneOn"], state["cameraOn"]) == (True, False), "the last call's settings leaked"
    await ben.wait_for_tone(TONE_HZ, present=True)
    await anna["hangup"].click()
    await ben.wait_for_phase("ended")


async def test_a_video_call_answered_with_sound_only(
    browser: Chromium, other_browser: Chromium, service: RunningService
) -> None:
    anna, ben = Phone(await browser.page()), Phone(await other_browser.page())
    await connect(anna, ben, service, answer="answer-audio")
    await ben.wait_for_picture()
    await expect(anna["call-status"]).to_have_text("Camera is off")
    assert not (await ben.state())["cameraOn"]
    await ben["camera"].click()  # changes its mind
    await anna.wait_for_picture()


async def test_a_page_without_camera_and_microphone_still_sees_and_hears(
    browser: Chromium, service: RunningService
) -> None:
    anna = Phone(await browser.page())
    async with chromium(devices=0) as bare:
        ben = Phone(await bare.page())
        await connect(anna, ben, service)
        await expect(ben["notices"]).to_contain_text("No camera was found")
        await ben.wait_for_picture()
        assert_flowing(await ben.wait_for_frames(30), CLIP_IDENT)
        await ben.wait_for_tone(TONE_HZ, present=True)
        await expect(anna["call-status"]).to_have_text("Camera is off")
        state = await ben.state()
        assert (state["microphoneOn"], state["cameraOn"]) == (False, False)
        await ben["camera"].click()
        await expect(ben["notices"]).to_contain_text("No camera was found")
        await anna["hangup"].click()
        await ben.wait_for_phase("ended")


async def test_a_cut_connection_resumes_without_losing_or_doubling_an_event(
    browser: Chromium, other_browser: Chromium, service: RunningService
) -> None:
    away = asyncio.Event()
    page = await browser.page(init_scripts=(_SOCKETS,))

    async def gate(socket: WebSocketRoute) -> None:
        if away.is_set():
            await socket.close()
        else:
            socket.connect_to_server()

    await page.route_web_socket("**/v1/signal", gate)
    anna, ben = Phone(page), Phone(await other_browser.page())
    await connect(anna, ben, service)
    await anna.wait_for_picture()
    session = (await anna.state())["sessionId"]
    await page.evaluate(_RECORD)

    away.set()
    await page.evaluate("sockets.at(-1).close()")
    await expect(anna["call-chip"]).to_contain_text("Reconnecting")
    await anna.wait_for_frames(10)  # media does not need the service
    for pressed in ("true", "false", "true"):
        await ben["camera"].click()
        await expect(ben["camera"]).to_have_attribute("aria-pressed", pressed)
    await ben["mute"].click()
    # The service has it all once it has answered a later request.
    await ben.page.evaluate("callagentPhone.engine.getUsers()")
    assert await page.evaluate("heard") == []
    away.clear()

    await wait_until(page, "heard.length >= 4", deadline_s=15)
    await expect(anna["call-chip"]).not_to_contain_text("Reconnecting", timeout=15_000)
    state = await anna.state()
    assert (state["sessionId"], state["connection"], state["phase"]) == (session, "online", "connected")
    await page.evaluate("sockets.at(-1).close()")  # and once more, with nothing to replay
    await wait_until(page, "callagentPhone.state().connection === 'online'")
    await ben["hangup"].click()
    await anna.wait_for_phase("ended")
    heard = [(name, data) for name, data in await page.evaluate("heard")]
    assert [data["isVideoAvailable"] for name, data in heard if name == "onUserVideoAvailable"] == [
        False,
        True,
        False,
    ]
    assert [data["isAudioAvailable"] for name, data in heard if name == "onUserAudioAvailable"] == [False]
    assert [name for name, _ in heard].count("onCallEnd") == 1


async def test_a_silent_connection_is_noticed_by_its_heartbeat(
    browser: Chromium, other_browser: Chromium, service: RunningService
) -> None:
    """Nothing closes, nothing arrives any more: within ping interval and deadline it is replaced."""
    swallow = asyncio.Event()
    page = await browser.page(init_scripts=(_SOCKETS,))
    connections = 0

    async def gate(socket: WebSocketRoute) -> None:
        nonlocal connections
        connections += 1
        first = connections == 1
        server = socket.connect_to_server()
        server.on_message(lambda text: None if first and swallow.is_set() else socket.send(text))

    await page.route_web_socket("**/v1/signal", gate)
    anna, ben = Phone(page), Phone(await other_browser.page())
    await connect(anna, ben, service, video=False)
    swallow.set()
    await wait_until(page, "sockets.length >= 2", deadline_s=15)
    await wait_until(page, "callagentPhone.state().connection === 'online'")
    await ben["hangup"].click()
    await anna.wait_for_phase("ended")


async def test_dead_media_is_made_anew_in_a_new_epoch(
    browser: Chromium, other_browser: Chromium, service: RunningService
) -> None:
    keep = """
      window.connections = [];
      window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...args) { super(...args); connections.push(this); }
      };"""
    anna = Phone(await browser.page())
    ben = Phone(await other_browser.page(init_scripts=(keep,)))
    await connect(anna, ben, service)
    await anna.wait_for_picture()
    await ben.wait_for_picture()
    assert (await anna.state())["call"]["epoch"] == 1
    await ben.page.evaluate("connections[0].close()")  # as if the network under it had gone

    await wait_until(anna.page, "callagentPhone.state().call.epoch >= 2", deadline_s=20)
    await wait_until(ben.page, "connections.at(-1).connectionState === 'connected'", deadline_s=20)
    await wait_until(anna.page, "!callagentPhone.state().reconnecting", deadline_s=20)
    assert_flowing(await anna.wait_for_frames(len(await anna.frames()) + 30), OTHER_CLIP_IDENT)
    await ben.wait_for_tone(TONE_HZ, present=True)
    await anna["hangup"].click()
    await ben.wait_for_phase("ended")


@pytest.mark.parametrize("https", [False, True])
async def test_a_caller_that_closes_its_page_leaves_at_once(
    browser: Chromium, other_browser: Chromium, service: RunningService, https: bool
) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    anna, ben = Phone(await browser.page()), Phone(await other_browser.page())
    await anna.open_signed_in(service.link(anna_id, https=https))
    await ben.open_signed_in(service.link(ben_id))
    await anna.call(ben_id, video=False)
    await ben.wait_for_phase("incoming")
    await ben["answer-audio"].click()
    await anna.wait_for_phase("connected")
    await anna.page.goto("about:blank")
    await ben.wait_for_phase("ended")
    await expect(ben["call-status"]).to_contain_text(f"{anna_id} hung up")
