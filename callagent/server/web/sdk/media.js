// SPDX-License-Identifier: Apache-2.0
/**
 * The media of one call: for each peer session a connection per epoch, watched and remade.
 *
 * A media plan with a new epoch makes new connections; the older one of a peer keeps its picture until
 * the new one carries media, then it is closed. A connection that does not come up, fails, or falls silent
 * while the peer says it sends makes this side ask for the next epoch.
 *
 * Dispatches (CustomEvent): `stream` {userId, stream|null}; `reconnecting` {userId, reconnecting};
 * `renegotiate` {epoch, reason}; `trouble` {attempts} after several epochs in a row without media.
 */

import { PeerConnection } from "./peer.js";
import { later } from "./timers.js";

const WATCH_MS = 500;
const CONNECT_DEADLINE_MS = 10000;
const FIRST_MEDIA_DEADLINE_MS = 5000;
const DISCONNECTED_MS = 2000;
const SILENT_MS = 2000;
const SILENT_RENEGOTIATE_MS = 4000;
/** Deadlines double with each epoch that brought nothing, up to this factor. */
const PATIENCE_LIMIT = 4;
const TROUBLE_AFTER = 3;
/** A peer may be ahead of our own plan by a few messages, never by many. */
const EARLY_LIMIT = 64;

export class CallMedia extends EventTarget {
  #options;
  #epoch = 0;
  #links = [];
  #shown = new Map();
  #availability = new Map();
  #early = [];
  #barren = 0;
  #asked = 0;
  #reconnecting = new Set();
  #cancelWatch = () => {};
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
    this.#scheduleWatch();
  }

  get epoch() {
    return this.#epoch;
  }

  /** The connection to that user whose picture is shown, or the newest one. */
  connection(userId) {
    return this.#shown.get(userId) ?? this.#links.findLast((link) => link.pc.peer.userId === userId)?.pc;
  }

  /** Make the connections of a new epoch. @param plan {{epoch, peers, iceServers}} */
  plan({ epoch, peers, iceServers }) {
    if (this.#closed || epoch <= this.#epoch) return;
    this.#epoch = epoch;
    this.#barren += 1;
    const present = new Set(peers.map((peer) => peer.sessionId));
    this.#close((link) => !present.has(link.pc.peer.sessionId) || this.#shown.get(link.pc.peer.userId) !== link.pc);
    for (const peer of peers) this.#links.push(this.#link(peer, iceServers ?? []));
    for (const { sender, media } of this.#early.splice(0)) this.receive(sender, media);
  }

  /** A media message from a peer session. */
  receive(sender, media) {
    if (this.#closed || media.epoch < this.#epoch) return;
    if (media.epoch > this.#epoch) {
      if (this.#early.length < EARLY_LIMIT) this.#early.push({ sender, media });
      return;
    }
    const link = this.#links.find(({ pc }) => pc.peer.sessionId === sender && pc.epoch === media.epoch);
    link?.pc.handle(media);
  }

  /**
   * The service could not be reached for a while: words of either side are lost then, and in a negotiation
   * each would wait for the other's.
   */
  serviceIsBack() {
    for (const link of this.#links) {
      const waits = link.pc.epoch === this.#epoch && link.pc.connectionState !== "connected";
      if (waits) this.#renegotiate(link, "the service was away while it was negotiated");
    }
  }

  /** Send another track, or nothing, to everybody. */
  replaceTrack(kind, track) {
    for (const { pc } of this.#links) pc.replaceTrack(kind, track);
  }

  /** What a peer says it sends: silence of one who sends nothing is no failure. */
  setAvailability(userId, { audio, video }) {
    this.#availability.set(userId, audio || video);
    for (const link of this.#links) link.progressAt = performance.now();
  }

  close() {
    this.#closed = true;
    this.#cancelWatch();
    this.#close(() => true);
    this.#shown.clear();
  }

  #link(peer, iceServers) {
    const { self, local, videoCodecs, send } = this.#options;
    const epoch = this.#epoch;
    const pc = new PeerConnection({
      peer,
      epoch,
      iceServers,
      videoCodecs,
      offers: self.sessionId < peer.sessionId,
      owner: self.userId,
      track: (kind) => local.track(kind),
      send: (message) => send(peer.sessionId, { ...message, epoch }),
    });
    const now = performance.now();
    const link = { pc, madeAt: now, connectedAt: null, disconnectedAt: null, packets: 0, progressAt: now };
    pc.addEventListener("state", () => this.#onState(link));
    pc.addEventListener("media", () => this.#show(link));
    pc.addEventListener("error", ({ detail }) => this.#renegotiate(link, String(detail.error)));
    return link;
  }

  #onState(link) {
    const now = performance.now();
    const state = link.pc.connectionState;
    link.disconnectedAt = state === "disconnected" ? (link.disconnectedAt ?? now) : null;
    if (state === "connected" && link.connectedAt === null) {
      link.connectedAt = link.progressAt = now;
      if (!this.#shown.has(link.pc.peer.userId) || !this.#availability.get(link.pc.peer.userId)) this.#show(link);
    }
    if (state === "failed") this.#renegotiate(link, "connection failed");
  }

  /** Let this connection's picture take over from its predecessor's. */
  #show(link) {
    const { userId, sessionId } = link.pc.peer;
    const before = this.#shown.get(userId);
    if (this.#closed || before === link.pc || (before && before.epoch > link.pc.epoch)) return;
    this.#shown.set(userId, link.pc);
    this.#tell("stream", { userId, stream: link.pc.stream });
    this.#close(({ pc }) => pc.peer.sessionId === sessionId && pc.epoch < link.pc.epoch);
  }

  #close(doomed) {
    this.#links = this.#links.filter((link) => {
      if (!doomed(link)) return true;
      link.pc.close();
      if (this.#shown.get(link.pc.peer.userId) === link.pc) {
        this.#shown.delete(link.pc.peer.userId);
        if (!this.#closed) this.#tell("stream", { userId: link.pc.peer.userId, stream: null });
      }
      return false;
    });
  }

  #scheduleWatch() {
    this.#cancelWatch = later(WATCH_MS, async () => {
      await Promise.all(this.#links.map((link) => this.#watch(link)));
      if (!this.#closed) this.#scheduleWatch();
    });
  }

  async #watch(link) {
    const { userId } = link.pc.peer;
    const packets = await link.pc.packetsReceived().catch(() => link.packets);
    if (this.#closed || !this.#links.includes(link)) return;
    const now = performance.now();
    if (packets > link.packets) {
      link.packets = packets;
      link.progressAt = now;
      if (link.pc.epoch === this.#epoch) this.#barren = 0;
    }
    const expected = this.#availability.get(userId) ?? false;
    const silent = expected && link.connectedAt !== null ? now - link.progressAt : 0;
    const away = link.disconnectedAt === null ? 0 : now - link.disconnectedAt;
    if (this.#shown.get(userId) === link.pc) this.#setReconnecting(userId, silent >= SILENT_MS || away > 0);
    if (link.pc.epoch === this.#epoch) this.#judge(link, now, silent, away);
  }

  #judge(link, now, silent, away) {
    const patience = Math.min(PATIENCE_LIMIT, 2 ** Math.max(0, this.#barren - 1));
    const silenceLimit = link.packets > 0 ? SILENT_RENEGOTIATE_MS : FIRST_MEDIA_DEADLINE_MS;
    if (link.pc.connectionState === "failed") this.#renegotiate(link, "connection failed");
    else if (link.connectedAt === null && now - link.madeAt > CONNECT_DEADLINE_MS * patience) {
      this.#renegotiate(link, "no connection in time");
    } else if (away >= DISCONNECTED_MS) this.#renegotiate(link, "disconnected");
    else if (silent >= silenceLimit * patience) this.#renegotiate(link, "no media");
  }

  #renegotiate(link, reason) {
    if (this.#closed || link.pc.epoch !== this.#epoch || this.#asked === this.#epoch) return;
    this.#asked = this.#epoch;
    this.#setReconnecting(link.pc.peer.userId, true);
    if (this.#barren >= TROUBLE_AFTER) this.#tell("trouble", { attempts: this.#barren });
    this.#tell("renegotiate", { epoch: this.#epoch, reason });
  }

  /** The request for a new epoch did not get through: it may be asked again. */
  renegotiateFailed(epoch) {
    if (this.#asked === epoch) this.#asked = 0;
  }

  #setReconnecting(userId, reconnecting) {
    if (this.#reconnecting.has(userId) === reconnecting) return;
    if (reconnecting) this.#reconnecting.add(userId);
    else this.#reconnecting.delete(userId);
    this.#tell("reconnecting", { userId, reconnecting });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
