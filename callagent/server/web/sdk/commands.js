// SPDX-License-Identifier: Apache-2.0
/** What the other side's device is asked to do, such as to open the door (docs/protocol.md). */

import { CallError, ErrorCode } from "./errors.js";
import { later } from "./timers.js";

/** How long the other side's device may take. */
const ANSWER_MS = 10000;

export class RemoteCommands {
  #signalling;
  #waiting = new Map();

  constructor(signalling) {
    this.#signalling = signalling;
    signalling.addEventListener("commandAnswer", ({ detail }) => this.#answered(detail.answer));
  }

  /** Resolves when it was done. Never sent twice: it may have been done although the answer was lost. */
  async ask(callId, to, command) {
    const commandId = randomId();
    const answered = new Promise((resolve, reject) => {
      const cancel = later(ANSWER_MS, () => {
        this.#waiting.delete(commandId);
        reject(new CallError(ErrorCode.SIGNALING_SEND_FAIL, "The other device does not answer"));
      });
      this.#waiting.set(commandId, { resolve, reject, cancel });
    });
    answered.catch(() => {});
    try {
      await this.#signalling.request("command", { to, command: { callId, commandId, command } });
    } catch (error) {
      this.#waiting.get(commandId)?.cancel();
      this.#waiting.delete(commandId);
      throw error;
    }
    return answered;
  }

  #answered({ commandId, code, message }) {
    const entry = this.#waiting.get(commandId);
    if (!entry) return;
    this.#waiting.delete(commandId);
    entry.cancel();
    if (code === ErrorCode.OK) entry.resolve();
    else entry.reject(new CallError(code, message));
  }
}

function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
