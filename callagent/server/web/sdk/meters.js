// SPDX-License-Identifier: Apache-2.0
/** How loud everybody is and how good the network to them, from the vitals of a call's links. Pure. */

import { NetworkQuality, arriving, grade, volume } from "./vitals.js";

/** Losses over less than this say little. */
const QUALITY_MS = 2000;

export class Meters {
  #before = new Map();
  #gradedAt = 0;
  #qualities = {};

  /**
   * @param own {string} this side's user id
   * @param entries {{link, health}[]} the links in use
   * @param now {number} milliseconds
   * @returns {{volumes: object, qualities: object|null} | null} by user id: 0…100, and the quality of what one sends
   *   oneself and of what comes from the others (null: unchanged); null without a link
   */
  look(own, entries, now) {
    if (entries.length === 0) return null;
    const volumes = { [own]: 0 };
    for (const { link, health } of entries) {
      if (link.flow !== "send") volumes[link.peer.userId] = volume(health.last.level);
      volumes[own] = Math.max(volumes[own], volume(health.last.ownLevel));
    }
    return { volumes, qualities: now - this.#gradedAt >= QUALITY_MS ? this.#grade(own, entries, now) : null };
  }

  #grade(own, entries, now) {
    this.#gradedAt = now;
    const qualities = {};
    const before = this.#before;
    this.#before = new Map(entries.map(({ link, health }) => [link, health.last]));
    for (const { link, health } of entries) {
      const connected = health.state === "connected";
      const { lostThere, roundTripS } = health.last;
      const sent = connected ? grade(lostThere, roundTripS) : NetworkQuality.DOWN;
      if (link.flow !== "receive") qualities[own] = Math.max(qualities[own] ?? NetworkQuality.UNKNOWN, sent);
      if (link.flow === "send") continue;
      const last = before.get(link);
      const came = last ? arriving(last, health.last) : NetworkQuality.UNKNOWN;
      qualities[link.peer.userId] = connected ? came : NetworkQuality.DOWN;
    }
    if (JSON.stringify(qualities) === JSON.stringify(this.#qualities)) return null;
    this.#qualities = qualities;
    return qualities;
  }
}
