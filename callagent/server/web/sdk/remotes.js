// SPDX-License-Identifier: Apache-2.0
/**
 * The others of a call as they are received: which link shows each of them, and which may go.
 *
 * An entry is `{link, health, retiredAt}` as media.js keeps them.
 */

import { mayClose, mayTakeOver } from "./plan.js";
import { Remote } from "./remote.js";

export class Remotes {
  #tell;
  #remotes = new Map();
  #reconnecting = new Set();
  /** The layer the media server was last asked for, by user; "h" unless asked. */
  #asked = new Map();

  /** @param tell {(type, detail) => void} `stream`, `reconnecting` and `view` of media.js */
  constructor(tell) {
    this.#tell = tell;
  }

  get(userId) {
    return this.#remotes.get(userId);
  }

  /** That user's; made at the first question. */
  of(userId) {
    if (!this.#remotes.has(userId)) this.#remotes.set(userId, new Remote());
    return this.#remotes.get(userId);
  }

  /** Whether this link is to show its user and does not yet. */
  awaits({ link, retiredAt }) {
    return retiredAt === null && link.flow !== "send" && this.#remotes.get(link.peer.userId)?.link !== link;
  }

  /** Let every link that delivers show its user. */
  takeOver(entries, now) {
    for (const entry of entries.filter((each) => this.awaits(each))) {
      const { link, health } = entry;
      const { userId } = link.peer;
      const remote = this.of(userId);
      const old = entries.find((each) => each.link === remote.link);
      const oldAlive = old?.health.state === "connected" && !old.health.ails(remote.expected, now);
      if (!mayTakeOver(health.connectedAt !== null, health.last, remote.wanted, oldAlive)) continue;
      const first = remote.link === null;
      remote.show(link, now);
      if (first) this.#tell("stream", { userId, stream: remote.stream });
      this.setReconnecting(userId, false);
    }
  }

  /** Whether this replaced link may be closed; see plan.js. */
  mayClose({ link, retiredAt }, entries, now) {
    if (retiredAt === null) return false;
    const shows = (each) => this.#remotes.get(each.peer.userId)?.link === each;
    if (link.flow !== "send") {
      const takenOverAt = this.#remotes.get(link.peer.userId)?.shownAt ?? null;
      return mayClose({ retiredAt, shows: shows(link), takenOverAt }, now);
    }
    // The others see this side by it until they have taken over as well.
    const stillShows = entries.some((each) => each.retiredAt !== null && shows(each.link));
    const last = Math.max(...Array.from(this.#remotes.values(), ({ shownAt }) => shownAt ?? 0), 0);
    return mayClose({ retiredAt, shows: stillShows, takenOverAt: last >= retiredAt ? last : null }, now);
  }

  /** Say of whom nothing arrives any more, and of whom it does again. */
  judge(entries, now) {
    for (const [userId, remote] of this.#remotes) {
      const shown = entries.find(({ link }) => link === remote.link);
      if (shown) this.setReconnecting(userId, shown.health.ails(remote.expected, now));
    }
  }

  setReconnecting(userId, reconnecting) {
    if (this.#reconnecting.has(userId) === reconnecting) return;
    if (reconnecting) this.#reconnecting.add(userId);
    else this.#reconnecting.delete(userId);
    this.#tell("reconnecting", { userId, reconnecting });
  }

  tracksChanged(link) {
    const remote = this.#remotes.get(link.peer.userId);
    if (remote?.link === link) remote.adopt();
  }

  /** Tell the media server the wanted layer, unless it has it already. A new link starts with h. */
  askForLayer(userId) {
    const { layer } = this.of(userId);
    if (layer === "h" && (this.#asked.get(userId) ?? "h") === "h") return;
    this.#asked.set(userId, layer);
    this.#tell("view", { userId, layer });
  }

  /** This link is closed; `entries` are those that remain. */
  closed(link, entries) {
    const { userId } = link.peer;
    const remote = this.#remotes.get(userId);
    if (remote?.link !== link) return;
    remote.lose();
    if (!entries.some((each) => each.link.peer.userId === userId)) this.#tell("stream", { userId, stream: null });
  }

  /** The user is no longer in the call. */
  forget(userId) {
    this.setReconnecting(userId, false);
    this.#remotes.delete(userId);
    this.#asked.delete(userId);
  }
}
