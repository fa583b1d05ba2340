// SPDX-License-Identifier: Apache-2.0
/**
 * The media of one call: the links of its media plan, watched and made anew (docs/protocol.md, Media).
 *
 * A plan of a new epoch makes new links; the older ones keep their pictures until the new ones deliver, at most
 * five seconds. A plan of the present epoch adds and drops links. A link that does not come up, fails, or falls
 * silent while its user says to send is replaced: between sessions by the next epoch, to the media server by
 * another attempt first.
 *
 * Dispatches (CustomEvent): `stream` {userId, stream|null}; `reconnecting` {userId, reconnecting};
 * `renegotiate` {epoch, reason}; `view` {userId, layer}; `levels` {volumes, qualities}, see meters.js;
 * `trouble` {attempts} after several links in a row without media.
 */

import { Health, Recovery } from "./health.js";
import { Link } from "./link.js";
import { Meters } from "./meters.js";
import { changes } from "./plan.js";
import { Remotes } from "./remotes.js";
import { later } from "./timers.js";

const WATCH_MS = 500;
/** While a link waits to take over, or to be closed: a picture that is there should be seen. */
const HASTE_MS = 100;
const TROUBLE_AFTER = 3;
/** The other end may be ahead of our own plan by a few messages, never by many. */
const EARLY_LIMIT = 64;

export class CallMedia extends EventTarget {
  #options;
  #epoch = 0;
  #placement = null;
  #ice = {};
  /** {link, health, retiredAt}: in use, or (not null) replaced and not yet closed. */
  #entries = [];
  #remotes = new Remotes((type, detail) => this.#tell(type, detail));
  #meters = new Meters();
  #recovery = new Recovery();
  /** Links in a row that brought nothing, by user. */
  #barren = new Map();
  /** Messages that came before the plan that explains them. */
  #early = [];
  /** The epoch whose successor was asked for. */
  #asked = 0;
  #judgedAt = 0;
  #looking = false;
  #lookAgain = false;
  #cancelLook = () => {};
  #closed = false;

  /**
   * @param options.self {{userId, sessionId}}
   * @param options.local {LocalMedia}
   * @param options.videoCodecs {string[]}
   * @param options.send {(sessionId, message) => void} passes a media message on, `epoch` included
   */
  constructor(options) {
    super();
    this.#options = options;
    this.#scheduleLook();
  }

  get epoch() {
    return this.#epoch;
  }

  /** The link that shows that user, or the newest one to it; of oneself the one to the media server. */
  connection(userId) {
    const newest = this.#entries.findLast(({ link }) => link.peer.userId === userId)?.link;
    return this.#remotes.get(userId)?.link ?? newest;
  }

  /** @param plan {{epoch, placement, peers, iceServers, iceTransportPolicy}} */
  plan({ epoch, placement = "p2p", peers, iceServers = [], iceTransportPolicy = "all" }) {
    const links = this.#current().map(({ link }) => link);
    const todo = this.#closed ? null : changes(this.#epoch, links, { epoch, placement, peers });
    if (!todo) return;
    if (epoch > this.#epoch) {
      this.#recovery.forget();
      this.#remotes.setReconnecting(this.#options.self.userId, false);
    }
    this.#epoch = epoch;
    this.#placement = placement;
    this.#ice = { iceServers, iceTransportPolicy };
    this.#close(({ link }) => todo.close.includes(link));
    const now = performance.now();
    for (const entry of this.#entries) if (todo.retire.includes(entry.link)) entry.retiredAt = now;
    for (const peer of todo.add) this.#add(peer, "");
    for (const { sender, media } of this.#early.splice(0)) this.receive(sender, media);
    this.#look();
  }

  /** A media message from a peer session or from a link of the media server. */
  receive(sender, media) {
    if (this.#closed || media.epoch < this.#epoch) return;
    const here = this.#current().filter(({ link }) => link.epoch === media.epoch && link.peer.sessionId === sender);
    if (here.length === 0) {
      if (this.#early.length >= EARLY_LIMIT) this.#early.shift();
      this.#early.push({ sender, media });
    } else here.find(({ link }) => link.attempt === (media.attempt ?? ""))?.link.handle(media);
  }

  /**
   * The service could not be reached for a while: words of either side are lost then, and in a negotiation
   * each would wait for the other's.
   */
  serviceIsBack() {
    for (const entry of this.#current()) {
      const waits = entry.link.connectionState !== "connected";
      if (waits) this.#failed(entry, "the service was away while it was negotiated");
    }
  }

  /** Send another track, or nothing, to everybody. */
  replaceTrack(source, track) {
    for (const { link } of this.#entries) link.replaceTrack(source, track);
  }

  /** What a user says it sends: silence of one who sends nothing is no failure. */
  setAvailability(userId, { audio, video }) {
    this.#remotes.of(userId).sends = { audio, video };
    this.#expectAnew(userId);
    this.#look();
  }

  /** Which layer of that user's picture is wanted: "h", "l" or "off". */
  setLayer(userId, layer) {
    const remote = this.#remotes.of(userId);
    if (remote.layer === layer) return;
    remote.layer = layer;
    remote.adopt();
    this.#expectAnew(userId);
    if (this.#current().some(({ link }) => link.flow === "receive" && link.peer.userId === userId)) {
      this.#remotes.askForLayer(userId);
    }
  }

  /** The user is no longer in the call. */
  userLeft(userId) {
    this.#close(({ link }) => link.peer.userId === userId);
    this.#remotes.forget(userId);
    this.#barren.delete(userId);
  }

  /** The request for a new epoch did not get through: it may be asked again. */
  renegotiateFailed(epoch) {
    if (this.#asked === epoch) this.#asked = 0;
  }

  close() {
    this.#closed = true;
    this.#cancelLook();
    this.#close(() => true);
  }

  #current() {
    return this.#entries.filter(({ retiredAt }) => retiredAt === null);
  }

  #add(peer, attempt) {
    const { self, local, videoCodecs, send } = this.#options;
    const { userId, sessionId, flow } = peer;
    const link = new Link({
      peer,
      epoch: this.#epoch,
      attempt,
      ice: this.#ice,
      videoCodecs,
      offers: flow === "send" || (flow === "both" && self.sessionId < sessionId),
      owner: self.userId,
      track: (source) => local.track(source),
      send: (message) => send(sessionId, message),
    });
    const entry = { link, health: new Health(performance.now()), retiredAt: null };
    this.#entries.push(entry);
    this.#barren.set(userId, this.#barrenOf(userId) + 1);
    link.addEventListener("state", () => this.#moved(entry));
    link.addEventListener("track", () => this.#remotes.tracksChanged(link));
    link.addEventListener("media", () => this.#look());
    link.addEventListener("error", ({ detail }) => this.#failed(entry, String(detail.error)));
    if (flow === "receive") this.#remotes.askForLayer(userId);
  }

  #moved(entry) {
    const { link, health } = entry;
    const first = health.moved(link.connectionState, performance.now());
    if (first && link.flow === "send") {
      this.#barren.delete(link.peer.userId);
      this.#remotes.setReconnecting(link.peer.userId, false);
    }
    if (first) this.#look();
    if (link.connectionState === "failed") this.#failed(entry, "connection failed");
  }

  #failed(entry, reason) {
    if (this.#closed || entry.retiredAt !== null || !this.#entries.includes(entry)) return;
    const { peer } = entry.link;
    const now = performance.now();
    if (this.#recovery.remedy(peer, entry.health.connectedAt !== null, now) === "renegotiate") {
      this.#renegotiate(peer.userId, reason);
      return;
    }
    this.#ails(peer.userId);
    entry.retiredAt = now;
    this.#add(peer, randomAttempt());
  }

  #renegotiate(userId, reason) {
    if (this.#asked === this.#epoch) return;
    this.#asked = this.#epoch;
    this.#ails(userId);
    this.#tell("renegotiate", { epoch: this.#epoch, reason });
  }

  #ails(userId) {
    this.#remotes.setReconnecting(userId, true);
    const attempts = this.#barrenOf(userId);
    if (attempts >= TROUBLE_AFTER) this.#tell("trouble", { attempts });
  }

  #scheduleLook() {
    const haste = this.#entries.some((entry) => entry.retiredAt !== null || this.#remotes.awaits(entry));
    this.#cancelLook();
    this.#cancelLook = later(haste ? HASTE_MS : WATCH_MS, () => this.#look());
  }

  /** Look at every link, one look at a time. */
  async #look() {
    this.#lookAgain = true;
    if (this.#looking) return;
    this.#looking = true;
    while (this.#lookAgain && !this.#closed) {
      this.#lookAgain = false;
      await Promise.all(this.#entries.map((entry) => this.#measure(entry)));
      if (!this.#closed) this.#act(performance.now());
    }
    this.#looking = false;
    if (!this.#closed) this.#scheduleLook();
  }

  async #measure(entry) {
    const { link, health } = entry;
    const vitals = await link.vitals().catch(() => health.last);
    const progress = health.looked(vitals, performance.now());
    if (progress && entry.retiredAt === null && link.flow !== "send") this.#barren.delete(link.peer.userId);
  }

  #act(now) {
    this.#remotes.takeOver(this.#entries, now);
    this.#close((entry) => this.#remotes.mayClose(entry, this.#entries, now));
    if (now - this.#judgedAt < WATCH_MS - HASTE_MS / 2) return;
    this.#judgedAt = now;
    this.#remotes.judge(this.#entries, now);
    for (const entry of this.#current()) {
      const reason = entry.health.verdict(this.#expects(entry), this.#barrenOf(entry.link.peer.userId), now);
      if (reason) this.#failed(entry, reason);
    }
    const levels = this.#meters.look(this.#options.self.userId, this.#current(), now);
    if (levels) this.#tell("levels", levels);
  }

  #expects({ link }) {
    return link.flow !== "send" && this.#remotes.of(link.peer.userId).expected;
  }

  #expectAnew(userId) {
    const now = performance.now();
    for (const { link, health } of this.#entries) if (link.peer.userId === userId) health.expectAnew(now);
  }

  #barrenOf(userId) {
    return this.#barren.get(userId) ?? 0;
  }

  #close(doomed) {
    const closing = this.#entries.filter(doomed);
    this.#entries = this.#entries.filter((entry) => !closing.includes(entry));
    for (const { link } of closing) {
      link.close();
      this.#remotes.closed(link, this.#entries);
    }
  }

  #tell(type, detail) {
    if (!this.#closed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function randomAttempt() {
  return Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
