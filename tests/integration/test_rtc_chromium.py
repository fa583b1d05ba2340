# SPDX-License-Identifier: GPL-3.0-or-later
"""A session and a real browser: who offers, which codec, what a page does with its tracks."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from callagent.ports import Candidate, Codec, MediaSessionState, SessionDescription
from callagent.rtc import RtcSettings
from callagent.rtc.session import WebRtcSession
from tests.unit.rtc.parts import Side, eventually, reached

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]

SCRIPT = """
window.candidates = [];
window.pc = new RTCPeerConnection();
pc.onicecandidate = event => candidates.push(event.candidate ? event.candidate.toJSON() : null);
const canvas = document.createElement('canvas');
canvas.width = 320; canvas.height = 240;
const context = canvas.getContext('2d');
let n = 0;
setInterval(() => { context.fillStyle = `hsl(${n++ % 360} 90% 50%)`; context.fillRect(0, 0, 320, 240); }, 33);
const sound = new AudioContext();
const tone = sound.createOscillator();
const out = sound.createMediaStreamDestination();
tone.connect(out); tone.start();
window.video = canvas.captureStream(30).getVideoTracks()[0];
window.audio = out.stream.getAudioTracks()[0];
pc.ontrack = event => {
  const element = document.createElement('video');
  element.autoplay = true; element.muted = true;
  element.srcObject = new MediaStream([event.track]);
  document.body.append(element);
};
window.attach = () => {
  for (const t of pc.getTransceivers()) {
    t.direction = 'sendrecv';
    t.sender.replaceTrack(t.receiver.track.kind == 'video' ? video : audio);
  }
};
window.figures = async () => {
  const found = {};
  for (const s of (await pc.getStats()).values()) {
    if (s.type == 'inbound-rtp' && s.kind == 'video') found.video = s.framesDecoded;
    if (s.type == 'inbound-rtp' && s.kind == 'audio') found.audio = s.totalAudioEnergy;
  }
  return found;
};
"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        page = await browser.new_page()
        await page.evaluate(SCRIPT)
        yield page
        await browser.close()


async def trickle(page: Page, session: WebRtcSession) -> None:
    """Everything the page has gathered so far; its addresses are hidden behind mDNS names."""
    for found in await page.evaluate("() => candidates.splice(0)"):
        if found is not None:
            candidate = Candidate(found["candidate"], found["sdpMid"], found["sdpMLineIndex"])
            await session.add_candidate(candidate)


async def page_offers(page: Page, session: WebRtcSession) -> None:
    offer: str = await page.evaluate(
        """async () => {
          pc.addTransceiver('audio'); pc.addTransceiver('video'); attach();
          await pc.setLocalDescription();
          return pc.localDescription.sdp;
        }"""
    )
    answer = await session.create_answer(SessionDescription("offer", offer))
    await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer.sdp)
    await trickle(page, session)


async def page_answers(page: Page, session: WebRtcSession) -> None:
    offer = await session.create_offer()
    answer: str = await page.evaluate(
        """async sdp => {
          await pc.setRemoteDescription({type: 'offer', sdp});
          attach();
          await pc.setLocalDescription();
          return pc.localDescription.sdp;
        }""",
        offer.sdp,
    )
    await session.set_answer(SessionDescription("answer", answer))
    await trickle(page, session)


async def page_decodes(page: Page, frames: int) -> None:
    await page.wait_for_function(
        "async frames => { const f = await figures(); return f.video >= frames && f.audio > 0.001 }",
        arg=frames,
        timeout=15_000,
        polling=100,
    )


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
@pytest.mark.parametrize("negotiate", [page_offers, page_answers])
async def test_a_browser_and_we_see_and_hear_each_other(page: Page, codec: Codec, negotiate: Any) -> None:
    kiosk = Side("kiosk", RtcSettings(video_codecs=(codec,)))
    session = kiosk.session("page")
    try:
        await negotiate(page, session)
        await eventually(lambda: session.state is MediaSessionState.CONNECTED)
        await reached(kiosk.video(session), 30)
        await reached(kiosk.audio(session), 30)
        picture = kiosk.video(session).last
        assert picture is not None
        assert (picture.width, picture.height) == (320, 240)
        await page_decodes(page, 30)
        assert (await session.statistics())["video_codec"] == codec
    finally:
        await session.close()


async def test_a_page_that_takes_its_tracks_away_and_back(page: Page) -> None:
    kiosk = Side("kiosk")
    session = kiosk.session("page")
    try:
        await page_answers(page, session)
        await reached(kiosk.video(session), 10)
        await reached(kiosk.audio(session), 10)
        await page.evaluate("async () => { for (const s of pc.getSenders()) await s.replaceTrack(null) }")
        kiosk.local.streams[Codec.H264].paused = True
        # As long as a person may be away; the other side's RTCP keeps the session alive.
        await page.wait_for_timeout(2500)
        assert session.state is MediaSessionState.CONNECTED
        video, audio = kiosk.video(session).frames, kiosk.audio(session).frames
        kiosk.local.streams[Codec.H264].paused = False
        await page.evaluate("attach()")
        await reached(kiosk.video(session), video + 30)
        await reached(kiosk.audio(session), audio + 30)
        await page_decodes(page, 60)
    finally:
        await session.close()


async def test_a_page_that_is_closed_is_noticed(page: Page) -> None:
    kiosk = Side("kiosk", RtcSettings(silence_timeout_s=2.0))
    session = kiosk.session("page")
    try:
        await page_offers(page, session)
        await reached(kiosk.video(session), 5)
        await page.close()
        await eventually(lambda: session.state in (MediaSessionState.FAILED, MediaSessionState.CLOSED))
    finally:
        await session.close()


@pytest.mark.parametrize("negotiate", [page_offers, page_answers])
async def test_a_browser_and_we_tell_each_other_of_every_packet(page: Page, negotiate: Any) -> None:
    kiosk = Side("kiosk", RtcSettings(start_bps=300_000))
    session = kiosk.session("page")
    try:
        await negotiate(page, session)
        await eventually(lambda: session.state is MediaSessionState.CONNECTED)
        congestion = session._congestion
        assert congestion.negotiated
        await eventually(lambda: congestion.overrules_remb)
        await eventually(lambda: congestion.controller.target_bps > 600_000)
        # The page's own controller starts at 300 kbit/s and rises only by feedback of ours.
        await page.wait_for_function(
            """async () => {
              for (const s of (await pc.getStats()).values())
                if (s.type == 'candidate-pair' && s.availableOutgoingBitrate > 500000) return true;
              return false;
            }""",
            timeout=15_000,
            polling=100,
        )
    finally:
        await session.close()
