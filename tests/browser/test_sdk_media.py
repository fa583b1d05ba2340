# SPDX-License-Identifier: GPL-3.0-or-later
"""The SDK's media by itself: its decisions as functions, its links against a media server in the page."""

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.chromium import HERE, Chromium
from tests.browser.service import RunningService

SEND = {"userId": "a", "sessionId": "5e4d", "flow": "send"}
RECEIVE = {"userId": "b", "sessionId": "0b0b", "flow": "receive"}


@pytest.fixture
async def page(browser: Chromium, service: RunningService) -> Page:
    page = await browser.page(init_scripts=((HERE / "media_server.js").read_text(),))
    await page.goto(service.url)
    return page


def link(epoch: int, user: str, session: str, flow: str = "both") -> dict[str, Any]:
    return {"epoch": epoch, "peer": {"userId": user, "sessionId": session, "flow": flow}}


def peer(user: str, session: str, flow: str = "both") -> dict[str, str]:
    return {"userId": user, "sessionId": session, "flow": flow}


MESH = [link(1, "b", "2"), link(1, "c", "3")]
ROOM = [link(2, "a", "s", "send"), link(2, "b", "r1", "receive"), link(2, "c", "r2", "receive")]


@pytest.mark.parametrize(
    ("present", "plan", "add", "retire", "close"),
    [
        pytest.param(
            MESH,
            {"epoch": 2, "placement": "sfu", "peers": []},
            [],
            ["2", "3"],
            [],
            id="into a room: the links between sessions stay until those of the room come",
        ),
        pytest.param(
            ROOM[:1],
            {"epoch": 2, "placement": "sfu", "peers": [peer("a", "s", "send"), peer("b", "r1", "receive")]},
            ["r1"],
            [],
            [],
            id="somebody's media came to the room",
        ),
        pytest.param(
            ROOM,
            {"epoch": 2, "placement": "sfu", "peers": [peer("a", "s", "send"), peer("b", "r9", "receive")]},
            ["r9"],
            ["r1"],
            ["r2"],
            id="one link was replaced, one user left the room",
        ),
        pytest.param(
            ROOM,
            {"epoch": 3, "placement": "p2p", "peers": [peer("b", "2")]},
            ["2"],
            ["s", "r1"],
            ["r2"],
            id="back to two",
        ),
        pytest.param(
            MESH,
            {"epoch": 1, "placement": "mesh", "peers": [peer("b", "2"), peer("c", "3")]},
            [],
            [],
            [],
            id="the same again",
        ),
    ],
)
async def test_what_a_plan_changes(
    page: Page, present: list[Any], plan: dict[str, Any], add: list[str], retire: list[str], close: list[str]
) -> None:
    epoch = present[0]["epoch"]
    todo = await page.evaluate(
        "async (args) => (await import('/sdk/plan.js')).changes(...args)", [epoch, present, plan]
    )
    assert [entry["sessionId"] for entry in todo["add"]] == add
    assert [entry["peer"]["sessionId"] for entry in todo["retire"]] == retire
    assert [entry["peer"]["sessionId"] for entry in todo["close"]] == close


async def test_a_plan_of_the_past_changes_nothing(page: Page) -> None:
    plan = {"epoch": 1, "placement": "p2p", "peers": []}
    todo = await page.evaluate(
        "async (args) => (await import('/sdk/plan.js')).changes(...args)", [2, ROOM, plan]
    )
    assert todo is None


async def test_the_old_picture_stays_until_the_new_one_is_there(page: Page) -> None:
    take_over, close = await page.evaluate(
        """async () => {
          const { mayClose, mayTakeOver } = await import("/sdk/plan.js");
          const all = { audio: true, video: true };
          const sound = { received: 9, frames: 0 };
          const picture = { received: 9, frames: 1 };
          return [
            [
              mayTakeOver(false, picture, all, true),
              mayTakeOver(true, sound, all, true),
              mayTakeOver(true, picture, all, true),
              mayTakeOver(true, sound, all, false),
              mayTakeOver(true, sound, { audio: true, video: false }, true),
              mayTakeOver(true, { received: 0, frames: 0 }, { audio: false, video: false }, true),
            ],
            [
              mayClose({ retiredAt: 0, shows: true, takenOverAt: null }, 4999),
              mayClose({ retiredAt: 0, shows: true, takenOverAt: null }, 5000),
              mayClose({ retiredAt: 0, shows: false, takenOverAt: 500 }, 4499),
              mayClose({ retiredAt: 0, shows: false, takenOverAt: 500 }, 4500),
            ],
          ];
        }"""
    )
    assert take_over == [False, False, True, True, True, True]
    assert close == [False, True, False, True]


async def test_when_a_link_is_given_up(page: Page) -> None:
    """Each deadline on either side of it, and twice as long after one that brought nothing."""
    verdicts = await page.evaluate(
        """async () => {
          const { Health } = await import("/sdk/health.js");
          const got = (received) => ({ ...new Health(0).last, received });
          const verdict = (prepare, now, { expected = true, barren = 1 } = {}) => {
            const health = new Health(0);
            prepare(health);
            return health.verdict(expected, barren, now);
          };
          const nothing = () => {};
          const connected = (health) => health.moved("connected", 1000);
          const spoke = (health) => { connected(health); health.looked(got(5), 2000); };
          const away = (health) => { spoke(health); health.moved("disconnected", 3000); };
          return [
            verdict(nothing, 10000), verdict(nothing, 10001), verdict(nothing, 10001, { barren: 2 }),
            verdict(connected, 5999), verdict(connected, 6000),
            verdict(connected, 60000, { expected: false }),
            verdict(spoke, 5999), verdict(spoke, 6000),
            verdict(away, 4999), verdict(away, 5000),
            verdict((health) => health.moved("failed", 1), 2),
          ];
        }"""
    )
    assert verdicts == [
        *(None, "no connection in time", None),
        *(None, "no media", None),
        *(None, "no media"),
        *(None, "disconnected"),
        "connection failed",
    ]


async def test_what_a_failed_link_calls_for(page: Page) -> None:
    remedies = await page.evaluate(
        """async () => {
          const { Recovery } = await import("/sdk/health.js");
          const recovery = new Recovery();
          const fail = (sessionId, flow, at, connected = true) =>
            recovery.remedy({ sessionId, flow }, connected, at);
          const first = [fail("2", "both", 0), fail("s", "send", 0), fail("r", "receive", 0)];
          const later = [
            fail("s", "send", 10001), fail("s", "send", 20001), fail("r", "receive", 60000, false),
          ];
          recovery.forget();
          return [...first, ...later, fail("s", "send", 20002)];
        }"""
    )
    assert remedies == [
        *("renegotiate", "begin", "restart"),
        *("begin", "renegotiate", "renegotiate"),
        "begin",
    ]


@pytest.mark.parametrize(
    ("width", "height"), [(366, 600), (1256, 600), (820, 240), (300, 300)], ids=lambda side: str(side)
)
async def test_tiles_fill_the_stage_without_touching(page: Page, width: int, height: int) -> None:
    wrong = await page.evaluate(
        """async ([width, height]) => {
          const { focus, grid } = await import("/phone/layout.js");
          const wrong = [];
          const check = (name, tiles, count) => {
            if (tiles.length !== count) wrong.push(`${name}: ${tiles.length} tiles`);
            for (const [index, a] of tiles.entries()) {
              const inside = a.left >= -0.01 && a.top >= -0.01 && a.left + a.width <= width + 0.01 &&
                a.top + a.height <= height + 0.01 && a.width >= 40 && a.height >= 40;
              if (!inside) wrong.push(`${name}: tile ${index} is ${JSON.stringify(a)}`);
              for (const b of tiles.slice(index + 1)) {
                const apart = a.left + a.width <= b.left + 0.01 || b.left + b.width <= a.left + 0.01 ||
                  a.top + a.height <= b.top + 0.01 || b.top + b.height <= a.top + 0.01;
                if (!apart) wrong.push(`${name}: tile ${index} lies on another`);
              }
            }
          };
          for (let count = 2; count <= 9; count += 1) {
            check(`grid of ${count}`, grid(count, width, height), count);
            check(`focus of ${count}`, focus(count, width, height), count);
            const [large, ...small] = focus(count, width, height);
            if (small.some((tile) => tile.width * tile.height * 1.5 > large.width * large.height)) {
              wrong.push(`focus of ${count}: the large tile is not`);
            }
          }
          return wrong;
        }""",
        [width, height],
    )
    assert wrong == []


@pytest.mark.parametrize(
    ("users", "view", "expected"),
    [
        (["b"], {"layout": "solo", "focused": None, "shown": True}, {"b": "h"}),
        (["b", "c"], {"layout": "grid", "focused": None, "shown": True}, {"b": "h", "c": "h"}),
        (["b", "c", "d"], {"layout": "grid", "focused": None, "shown": True}, dict.fromkeys("bcd", "l")),
        (["b", "c"], {"layout": "focus", "focused": "b", "shown": True}, {"b": "h", "c": "l"}),
        (["b", "c"], {"layout": "focus", "focused": "b", "shown": False}, {"b": "off", "c": "off"}),
    ],
)
async def test_which_layer_each_tile_takes(
    page: Page, users: list[str], view: dict[str, Any], expected: dict[str, str]
) -> None:
    layers = await page.evaluate(
        "async (args) => Object.fromEntries((await import('/phone/layout.js')).layers(...args))",
        [users, view],
    )
    assert layers == expected


async def test_a_send_link_offers_sound_and_the_camera_in_two_sizes(page: Page) -> None:
    tracks, sizes = await page.evaluate(
        """async (send) => {
          const server = new MediaServer(await import("/sdk/media.js"));
          server.plan(send);
          await until(() => server.link(send.sessionId)?.connectionState === "connected");
          const receivers = server.link(send.sessionId).getReceivers();
          const size = async (index) => {
            const reports = Array.from((await receivers[index].getStats()).values());
            const report = reports.find(({ type }) => type === "inbound-rtp");
            return [report?.frameWidth, report?.frameHeight];
          };
          // A connection starts with less than it may have, and smaller pictures.
          await until(async () => (await size(1))[0] === 640 && (await size(2))[0] === 320, 30000);
          const result = [server.offers(send.sessionId)[0].tracks, [await size(1), await size(2)]];
          server.media.close();
          return result;
        }""",
        SEND,
    )
    described = [(track["owner"], track["source"], track["layer"]) for track in tracks]
    assert described == [("a", "microphone", "h"), ("a", "camera", "h"), ("a", "camera", "l")]
    assert len({track["mid"] for track in tracks}) == len({track["id"] for track in tracks}) == 3
    assert sizes == [[640, 360], [320, 180]]


async def test_a_send_link_without_camera_offers_all_the_same(page: Page) -> None:
    sources, sending = await page.evaluate(
        """async (send) => {
          const server = new MediaServer(await import("/sdk/media.js"));
          const { camera } = server.devices;
          server.devices.camera = null;
          server.plan(send);
          await until(() => server.link(send.sessionId)?.connectionState === "connected");
          const packets = async (index) => {
            const reports = await server.link(send.sessionId).getReceivers()[index].getStats();
            const report = Array.from(reports.values()).find(({ type }) => type === "inbound-rtp");
            return report?.packetsReceived ?? 0;
          };
          const before = [await packets(1), await packets(2)];
          server.media.replaceTrack("camera", camera);
          await until(async () => (await packets(1)) > 0 && (await packets(2)) > 0);
          server.media.close();
          return [server.offers(send.sessionId)[0].tracks.map(({ source }) => source), before];
        }""",
        SEND,
    )
    assert sources == ["microphone", "camera", "camera"]
    assert sending == [0, 0]


async def test_a_failed_send_link_begins_anew_and_then_asks_for_an_epoch(page: Page) -> None:
    attempts, told, answered = await page.evaluate(
        """async (send) => {
          const server = new MediaServer(await import("/sdk/media.js"));
          server.plan(send);
          await until(() => server.link(send.sessionId)?.connectionState === "connected");
          server.mute = true;
          const broken = { kind: "answer", sdp: "broken" };
          // Only a link that waits for an answer reads one: the first attempt's is read already.
          server.say(send.sessionId, broken);
          server.link(send.sessionId).close();
          await until(() => server.offers(send.sessionId).length === 2, 30000);
          const { attempt } = server.offers(send.sessionId)[1];
          const told = () => server.told.filter(({ type }) => type === "renegotiate").length;
          server.say(send.sessionId, broken);  // of the older attempt: dropped
          const before = told();
          server.say(send.sessionId, { ...broken, attempt });
          await until(() => told() === 1);
          const attempts = server.offers(send.sessionId).map(({ attempt }) => attempt ?? "");
          const own = server.told.filter(({ type }) => type === "reconnecting").map(({ userId }) => userId);
          server.media.close();
          return [attempts, own, before];
        }""",
        SEND,
    )
    assert attempts[0] == ""
    assert len(attempts) == 2
    assert 0 < len(attempts[1]) <= 16
    assert told == ["a"], "the way to the media server is this side's own"
    assert answered == 0


async def test_a_receive_link_shows_its_user_and_is_restarted(page: Page) -> None:
    """What came before the plan is kept; another attempt takes the picture over in the same stream."""
    result = await page.evaluate(
        """async (receive) => {
          const server = new MediaServer(await import("/sdk/media.js"));
          const { camera, microphone } = server.devices;
          await server.offer(receive.sessionId, [microphone, camera]);
          server.media.setAvailability("b", { audio: true, video: true });
          server.plan(receive);
          const streams = () => server.told.filter(({ type }) => type === "stream");
          await until(() => streams().length === 1);
          const { stream, userId } = streams()[0];
          const kinds = stream.getTracks().map(({ kind }) => kind).sort();
          const [video] = stream.getVideoTracks();

          server.say(receive.sessionId, { kind: "offer", sdp: "broken" });
          await until(() => server.sent.some(({ kind }) => kind === "restart"));
          const { attempt } = server.sent.find(({ kind }) => kind === "restart");
          const kept = stream.getVideoTracks()[0] === video && video.readyState === "live";
          await server.offer(receive.sessionId, [microphone, camera], attempt);
          await until(() => stream.getVideoTracks()[0] !== video);
          const after = { streams: streams().length, tracks: stream.getTracks().length, live: stream.active };
          server.media.userLeft("b");
          const left = streams().at(-1).stream;
          server.media.close();
          return { userId, kinds, attempt, kept, after, left };
        }""",
        RECEIVE,
    )
    assert (result["userId"], result["kinds"]) == ("b", ["audio", "video"])
    assert 0 < len(result["attempt"]) <= 16
    assert result["kept"], "the picture was dropped before another one was there"
    assert result["after"] == {"streams": 1, "tracks": 2, "live": True}
    assert result["left"] is None


async def test_layers_are_asked_for_of_the_media_server_alone(page: Page) -> None:
    asked = await page.evaluate(
        """async (receive) => {
          const server = new MediaServer(await import("/sdk/media.js"));
          const asked = () => server.told.filter(({ type }) => type === "view").map(({ layer }) => layer);
          server.media.setLayer("b", "l");
          const before = asked();
          server.plan(receive);
          server.media.setLayer("b", "l");
          server.media.setLayer("b", "off");
          server.media.setLayer("b", "h");
          server.plan();
          server.media.setLayer("b", "l");
          server.media.plan({ epoch: 2, placement: "p2p", peers: [{ userId: "b", sessionId: "2" }] });
          server.media.setLayer("b", "h");
          server.media.setLayer("b", "off");
          const all = asked();
          server.media.close();
          return [before, all];
        }""",
        RECEIVE,
    )
    assert asked == [[], ["l", "off", "h"]]
