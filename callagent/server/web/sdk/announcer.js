// SPDX-License-Identifier: Apache-2.0
/**
 * Tells the call whether this side's microphone and camera send.
 *
 * Dispatches `failure` {error} (CustomEvent).
 */

import { CallStatus, MediaType } from "./enums.js";

export class Announcer extends EventTarget {
  #signalling;
  #state;
  #last = Promise.resolve();

  /** @param state {() => object} the call's present state (state.js) */
  constructor(signalling, state) {
    super();
    this.#signalling = signalling;
    this.#state = state;
  }

  /**
   * One announcement at a time, the newest last: the service refuses to do the same thing twice at once.
   * @param available {{audio: boolean, video: boolean}}
   */
  announce(available) {
    const { callId } = this.#state();
    this.#last = this.#last
      .then(() => this.#setTracks(callId, available))
      .catch((error) => {
        if (this.#state().callId === callId) this.dispatchEvent(new CustomEvent("failure", { detail: { error } }));
      });
  }

  /** The service takes a member for sending what the call is for; say so only where that is wrong. */
  atBegin(available) {
    const { mediaType, role } = this.#state();
    const assumed = { audio: true, video: mediaType === MediaType.VIDEO };
    const right = available.audio === assumed.audio && available.video === assumed.video;
    // What it takes a joiner for is its own affair.
    if (!right || role === "joiner") this.announce(available);
  }

  async #setTracks(callId, { audio, video }) {
    const { callId: current, status, leaving } = this.#state();
    if (current !== callId || status !== CallStatus.CONNECTED || leaving) return;
    await this.#signalling.request("setTracks", { callId, audio, video }, { resend: true });
  }
}
