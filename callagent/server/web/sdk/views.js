// SPDX-License-Identifier: Apache-2.0
/**
 * Where the others' pictures and sound are played: one view for each user, anything with `srcObject` and, to choose
 * a speaker, `setSinkId`; usually a <video>. The engine knows no more of it.
 */
export class RemoteViews {
  #views = new Map();
  #streams = new Map();
  #speakerId = "";

  /** Play that user there from now on, also before anything is received. */
  start(userId, view) {
    if (this.#views.get(userId) === view) return;
    this.#views.set(userId, view);
    view.srcObject = this.#streams.get(userId) ?? null;
    if (this.#speakerId) this.#sink(view).catch(() => {});
  }

  /** Another stream of that user, or none. */
  stream(userId, stream) {
    if (stream) this.#streams.set(userId, stream);
    else this.#streams.delete(userId);
    const view = this.#views.get(userId);
    if (view && view.srcObject !== stream) view.srcObject = stream;
  }

  /** Send everybody's sound there, "" to the system's default. Rejects with what setSinkId threw. */
  async setSpeaker(speakerId) {
    const before = this.#speakerId;
    this.#speakerId = speakerId;
    try {
      await Promise.all(Array.from(this.#views.values(), (view) => this.#sink(view)));
    } catch (error) {
      this.#speakerId = before;
      throw error;
    }
  }

  /** The call is over. */
  clear() {
    for (const view of this.#views.values()) view.srcObject = null;
    this.#views.clear();
    this.#streams.clear();
  }

  async #sink(view) {
    if (view.setSinkId) await view.setSinkId(this.#speakerId);
  }
}
