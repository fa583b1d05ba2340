// SPDX-License-Identifier: Apache-2.0
/**
 * Whether a connection lives, and what to do when it does not. Pure: the caller brings the clock (milliseconds).
 */

const CONNECT_DEADLINE_MS = 10000;
const FIRST_MEDIA_DEADLINE_MS = 5000;
const DISCONNECTED_MS = 2000;
/** After this the others are told; media that stays away longer is made anew. */
const SILENT_MS = 2000;
const SILENT_FAILED_MS = 4000;
/** Deadlines double with each connection in a row that brought nothing, up to this factor. */
const PATIENCE_LIMIT = 4;
const SECOND_FAILURE_MS = 10000;

/** The life of one connection. */
export class Health {
  state = "new";
  /** The vitals at the last look; see vitals.js. */
  last = { received: 0, lost: 0, frames: 0, level: 0, ownLevel: 0, lostThere: 0, roundTripS: 0 };
  connectedAt = null;
  #madeAt;
  #disconnectedAt = null;
  #progressAt;

  constructor(now) {
    this.#madeAt = this.#progressAt = now;
  }

  /** @param state {RTCPeerConnectionState} @returns {boolean} whether it connected for the first time */
  moved(state, now) {
    this.state = state;
    this.#disconnectedAt = state === "disconnected" ? (this.#disconnectedAt ?? now) : null;
    if (state !== "connected" || this.connectedAt !== null) return false;
    this.connectedAt = this.#progressAt = now;
    return true;
  }

  /** @returns {boolean} whether anything arrived since the last look */
  looked(vitals, now) {
    const progress = vitals.received > this.last.received;
    this.last = vitals;
    if (progress) this.#progressAt = now;
    return progress;
  }

  /** Silence counts from now on: what the other end sends has changed. */
  expectAnew(now) {
    this.#progressAt = now;
  }

  /** Whether a person should be told that it is being mended. */
  ails(expected, now) {
    return this.#disconnectedAt !== null || this.#silence(expected, now) >= SILENT_MS;
  }

  /**
   * Why it has to be made anew, or null.
   * @param expected {boolean} whether the other end sends anything
   * @param barren {number} connections in a row that brought nothing, this one included
   */
  verdict(expected, barren, now) {
    const patience = Math.min(PATIENCE_LIMIT, 2 ** Math.max(0, barren - 1));
    if (this.state === "failed") return "connection failed";
    if (this.connectedAt === null) {
      return now - this.#madeAt > CONNECT_DEADLINE_MS * patience ? "no connection in time" : null;
    }
    if (this.#disconnectedAt !== null && now - this.#disconnectedAt >= DISCONNECTED_MS) return "disconnected";
    const limit = this.last.received > 0 ? SILENT_FAILED_MS : FIRST_MEDIA_DEADLINE_MS;
    return this.#silence(expected, now) >= limit * patience ? "no media" : null;
  }

  #silence(expected, now) {
    return expected && this.connectedAt !== null ? now - this.#progressAt : 0;
  }
}

/**
 * What a failed connection calls for (docs/protocol.md): between sessions a new epoch; to the media server another
 * attempt, and a new epoch when that fails too.
 */
export class Recovery {
  #failures = new Map();

  /** @returns {"begin"|"restart"|"renegotiate"} */
  remedy({ sessionId, flow }, everConnected, now) {
    if (flow === "both") return "renegotiate";
    const before = this.#failures.get(sessionId);
    this.#failures.set(sessionId, now);
    const again = before !== undefined && (!everConnected || now - before <= SECOND_FAILURE_MS);
    if (again) return "renegotiate";
    return flow === "send" ? "begin" : "restart";
  }

  /** A new epoch: nothing has failed yet. */
  forget() {
    this.#failures.clear();
  }
}
