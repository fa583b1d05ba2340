# SPDX-License-Identifier: GPL-3.0-or-later
"""The SDK's state machine under thousands of seeded random event orders, in a real browser."""

from typing import Any

from playwright.async_api import Page

from tests.browser.chromium import Chromium
from tests.browser.service import RunningService

WALKS = 4000

_WALK = """
async ([first, count]) => {
  const { IDLE, transition } = await import("/sdk/state.js");
  const random = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const ids = ["call-1", "call-2", "call-3"];
  const inputs = (pick) => {
    const callId = pick(ids);
    const event = (name, data = {}) => ({ type: "event", name, data: { callId, userId: "b", ...data } });
    return [
      { type: "calls", userIdList: ["b"], mediaType: pick([1, 2]) },
      { type: "callsReply", callId, timeout: 30 },
      { type: "callsFailed" },
      { type: "join", callId },
      { type: "joinFailed" },
      { type: "accept", video: pick([true, false]) },
      { type: "acceptFailed", over: pick([true, false]) },
      { type: "leave" },
      { type: "expired", callId },
      { type: "sessionLost" },
      event("onCallReceived", { callerId: "b", calleeIdList: ["a"], mediaType: 2, remaining: 20 }),
      event("onCallBegin", { mediaType: 2 }),
      event("onCallEnd", { reason: 1 }),
      event("onCallNotConnected", { reason: 3 }),
      event("onUserJoin", { sessionId: "s", audioAvailable: true, videoAvailable: true }),
      event("onUserVideoAvailable", { isVideoAvailable: false }),
      event("onUserLeave", { reason: 4 }),
      event("onUserInviting", { inviterId: "b" }),
      event("onUserLineBusy"),
      event("onCallMediaTypeChanged", { oldMediaType: 2, newMediaType: 1 }),
      event("onMediaPlan", { epoch: pick([1, 2, 3]), peers: [] }),
      event("onMissedCall", { callerId: "c" }),
    ];
  };
  const walk = (seed) => {
    const next = random(seed);
    const pick = (list) => list[Math.floor(next() * list.length)];
    const wrong = [];
    const seen = { ends: 0, connected: 0, rang: 0 };
    let state = IDLE;
    let mediaOpen = false;
    let epoch = 0;
    for (let step = 0; step < 40; step += 1) {
      const before = JSON.stringify(state);
      const input = pick(inputs(pick));
      const { state: after, actions } = transition(state, input);
      if (JSON.stringify(state) !== before) wrong.push("the old state was changed");
      let ends = 0;
      for (const action of actions) {
        if (action.type === "openMedia") mediaOpen = true;
        if (action.type === "closeMedia") mediaOpen = false;
        if (action.type === "plan") {
          const expected = input.type === "callsReply" ? input.callId : state.callId;
          if (action.data.callId !== expected || state.leaving) wrong.push("a plan for another call");
          if (action.data.epoch < epoch) wrong.push("back to an older epoch");
          epoch = action.data.epoch;
        }
        if (action.type === "emit" && (action.name === "onCallEnd" || action.name === "onCallNotConnected")) {
          ends += 1;
          if (state.callId && action.data.callId !== state.callId) wrong.push("the end of another call");
        }
      }
      const over = state.callId && after.callId !== state.callId;
      // Who did not get in was in no call that could end: join() rejects.
      const due = over && input.type !== "joinFailed" ? 1 : 0;
      if (state.callId && ends !== due) wrong.push(`${ends} end events when leaving a call`);
      const idle = after.status === "idle";
      if (idle && mediaOpen) wrong.push("devices open while idle");
      if (idle && JSON.stringify(after) !== JSON.stringify(IDLE)) wrong.push("idle with a past");
      if (after.status === "connected" && state.status !== "connected") {
        seen.connected += 1;
        const told = input.name === "onCallBegin" || state.early.some(({ name }) => name === "onCallBegin");
        if (!told || state.leaving) wrong.push("connected without the service's word");
      }
      const rung = Object.keys(after.inviting);
      if (rung.some((user) => user in after.members)) wrong.push("rung although connected");
      if (after.status === "ringing" && state.callId === after.callId && state.status === "connected") {
        wrong.push("rings after it connected");
      }
      if (after.status === "ringing" && state.status !== "ringing") seen.rang += 1;
      const back = state.leaving && after.status !== "idle" && after.callId === state.callId;
      if (back && !after.leaving) wrong.push("left and came back");
      if (after.callId !== state.callId || after.status === "idle") epoch = 0;
      seen.ends += ends;
      state = after;
    }
    return { wrong, seen };
  };
  const total = { ends: 0, connected: 0, rang: 0 };
  const failures = [];
  for (let seed = first; seed < first + count; seed += 1) {
    const { wrong, seen } = walk(seed);
    for (const key of Object.keys(total)) total[key] += seen[key];
    if (wrong.length && failures.length < 5) failures.push({ seed, wrong });
  }
  return { failures, total };
}
"""


async def test_no_order_of_inputs_breaks_the_rules(browser: Chromium, service: RunningService) -> None:
    page: Page = await browser.page()
    await page.goto(service.url)
    result: dict[str, Any] = await page.evaluate(_WALK, [1, WALKS])
    assert result["failures"] == [], "replay with the printed seeds"
    assert min(result["total"].values()) > WALKS / 8, f"the walks reached too little: {result['total']}"


async def test_events_that_overtake_the_reply_are_not_lost(
    browser: Chromium, service: RunningService
) -> None:
    page = await browser.page()
    await page.goto(service.url)
    emitted = await page.evaluate(
        """async () => {
          const { IDLE, transition } = await import("/sdk/state.js");
          const emitted = [];
          let state = IDLE;
          const feed = (input) => {
            const step = transition(state, input);
            state = step.state;
            emitted.push(...step.actions.filter((a) => a.type === "emit").map((a) => a.name));
          };
          const event = (name, data) =>
            feed({ type: "event", name, data: { callId: "x", userId: "b", ...data } });
          feed({ type: "calls", userIdList: ["b"], mediaType: 1 });
          event("onUserLineBusy");
          event("onCallNotConnected", { reason: 5 });
          feed({ type: "callsReply", callId: "x", timeout: 30 });
          return [state.status, ...emitted];
        }"""
    )
    assert emitted == ["idle", "onUserLineBusy", "onCallNotConnected"]


_NEGOTIATION = """
async () => {
  const { CallMedia } = await import("/sdk/media.js");
  const asked = [];
  const media = new CallMedia({
    self: { userId: "a", sessionId: "1" },
    local: { track: () => null },
    videoCodecs: ["H264", "VP8"],
    send: () => {},
  });
  media.addEventListener("renegotiate", ({ detail }) => asked.push(detail.epoch));
  media.serviceIsBack();
  media.plan({ epoch: 2, peers: [{ userId: "b", sessionId: "2" }] });
  media.serviceIsBack();
  media.serviceIsBack();
  media.plan({ epoch: 3, peers: [{ userId: "b", sessionId: "2" }] });
  media.serviceIsBack();
  media.close();
  return asked;
}
"""


async def test_what_was_negotiated_while_the_service_was_away_is_made_anew(
    browser: Chromium, service: RunningService
) -> None:
    """Once for each epoch, and never without a connection that waits."""
    page = await browser.page()
    await page.goto(service.url)
    assert await page.evaluate(_NEGOTIATION) == [2, 3]
