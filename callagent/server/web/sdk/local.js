// SPDX-License-Identifier: Apache-2.0
/**
 * What this side sends in one call: a microphone and a camera track, each present or not.
 *
 * The tracks come from the application's media source: an object with
 * `open(kind: "microphone" | "camera"): Promise<MediaStreamTrack>`. A track it gave is stopped here.
 *
 * Dispatches (CustomEvent): `track` {kind, track|null}; `availability` {audio, video}; `failure` {kind, error}.
 */

import { deviceError } from "./errors.js";

const KINDS = ["microphone", "camera"];

export class LocalMedia extends EventTarget {
  #source;
  #slots = {
    microphone: { wanted: false, track: null, opening: 0 },
    camera: { wanted: false, track: null, opening: 0 },
  };
  #turn = 0;
  #announced = { audio: false, video: false };

  /** @param source {{open(kind: string): Promise<MediaStreamTrack>}} */
  constructor(source) {
    super();
    this.#source = source;
  }

  /** The live track of that kind, or null. */
  track(kind) {
    return this.#slots[kind].track;
  }

  get microphoneOn() {
    const { wanted, track, opening } = this.#slots.microphone;
    return wanted && (opening > 0 || track !== null);
  }

  get cameraOn() {
    const { wanted, track, opening } = this.#slots.camera;
    return wanted && (opening > 0 || track !== null);
  }

  /** Both off, devices closed: every call starts from here. */
  reset() {
    for (const kind of KINDS) {
      this.#slots[kind].wanted = false;
      this.#release(kind);
    }
    this.#announce();
  }

  /** Rejects with a CallError when the microphone cannot be opened. */
  async setMicrophone(on) {
    const slot = this.#slots.microphone;
    slot.wanted = on;
    // A muted microphone stays open: unmuting is instant, and what flows meanwhile is silence.
    if (slot.track) slot.track.enabled = on;
    this.#announce();
    if (on && !slot.track && slot.opening === 0) await this.#open("microphone");
  }

  /** Off closes the device, so that its light goes out. Rejects with a CallError when it cannot be opened. */
  async setCamera(on) {
    const slot = this.#slots.camera;
    slot.wanted = on;
    if (!on) this.#release("camera");
    this.#announce();
    if (on && !slot.track && slot.opening === 0) await this.#open("camera");
  }

  /**
   * Open anew what is in use: the media source's choice of device has changed. What was in use goes on until the
   * other one is there, and beyond when that cannot be opened; then this rejects with a CallError.
   * With `closeFirst` it is closed before: of the same device, open twice, a browser may give the second one the
   * first one's settings.
   */
  async reopen(kinds = KINDS, { closeFirst = false } = {}) {
    for (const kind of kinds) if (this.#slots[kind].track) await this.#swap(kind, closeFirst);
  }

  async #swap(kind, closeFirst) {
    const slot = this.#slots[kind];
    const turn = (slot.opening = ++this.#turn);
    const old = slot.track;
    if (closeFirst) old.stop();
    let track;
    try {
      track = await this.#source.open(kind);
    } catch (thrown) {
      if (slot.opening === turn) {
        slot.opening = 0;
        if (closeFirst) this.#release(kind);
        this.#announce();
      }
      throw deviceError(thrown, kind);
    }
    if (slot.opening !== turn) {
      track.stop();
      return;
    }
    this.#take(kind, track);
    old.stop();
  }

  async #open(kind) {
    const slot = this.#slots[kind];
    const turn = (slot.opening = ++this.#turn);
    let track;
    try {
      track = await this.#source.open(kind);
    } catch (thrown) {
      if (slot.opening !== turn) return;
      slot.opening = 0;
      slot.wanted = false;
      const error = deviceError(thrown, kind);
      this.#announce();
      this.#tell("failure", { kind, error });
      throw error;
    }
    if (slot.opening !== turn) {
      track.stop();
      return;
    }
    this.#take(kind, track);
    this.#announce();
  }

  #take(kind, track) {
    const slot = this.#slots[kind];
    slot.opening = 0;
    slot.track = track;
    track.enabled = slot.wanted;
    track.addEventListener("ended", () => this.#ended(kind, track));
    this.#tell("track", { kind, track });
  }

  /** The device was unplugged or taken away: try what the source has now. */
  #ended(kind, track) {
    if (this.#slots[kind].track !== track) return;
    this.#release(kind);
    this.#announce();
    this.#open(kind).catch(() => {});
  }

  #release(kind) {
    const slot = this.#slots[kind];
    const { track } = slot;
    slot.opening = 0;
    slot.track = null;
    if (!track) return;
    track.stop();
    this.#tell("track", { kind, track: null });
  }

  #announce() {
    const now = { audio: this.microphoneOn, video: this.cameraOn };
    if (now.audio === this.#announced.audio && now.video === this.#announced.video) return;
    this.#announced = now;
    this.#tell("availability", now);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
