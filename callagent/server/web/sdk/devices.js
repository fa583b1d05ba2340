// SPDX-License-Identifier: Apache-2.0
/**
 * The cameras, microphones and speakers of this browser, and which of them to use: a media source for the engine.
 *
 * A chosen device that is not there is replaced by the system's default, and taken again when it comes back.
 *
 * Dispatches (CustomEvent): `change` {camera, microphone, speaker}: the lists after something was plugged in or
 * pulled out; `reopen` {kind}: another camera or microphone than the one in use should be (engine.replaceDevices).
 */

import { deviceError } from "./errors.js";

const DEFAULTS = {
  cameraId: "",
  microphoneId: "",
  speakerId: "",
  echoCancellation: true,
  noiseSuppression: true,
};
const KINDS = { videoinput: "camera", audioinput: "microphone", audiooutput: "speaker" };

export class BrowserDevices extends EventTarget {
  settings;
  /** The ids of the devices opened last. */
  #inUse = { camera: "", microphone: "" };

  /** @param settings those that differ from the defaults: empty ids mean the system's choice */
  constructor(settings = {}) {
    super();
    this.settings = { ...DEFAULTS, ...settings };
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#changed());
  }

  change(settings) {
    Object.assign(this.settings, settings);
  }

  /** Open the chosen camera or microphone; any other when the chosen one is not there. */
  async open(kind) {
    const chosen = this.settings[`${kind}Id`];
    try {
      return await this.#open(kind, chosen ? { deviceId: { exact: chosen } } : {});
    } catch (error) {
      const gone = error.name === "OverconstrainedError" || error.name === "NotFoundError";
      if (!chosen || !gone) throw deviceError(error, kind);
    }
    try {
      return await this.#open(kind, {});
    } catch (error) {
      throw deviceError(error, kind);
    }
  }

  /** @returns {Promise<{camera, microphone, speaker}>} lists of {id, name}; names are empty before a permission */
  async list() {
    const found = { camera: [], microphone: [], speaker: [] };
    for (const { kind, deviceId, label } of await navigator.mediaDevices.enumerateDevices()) {
      // Chromium lists the system's default a second time under a name of its own.
      if (deviceId !== "default" && deviceId !== "communications") {
        found[KINDS[kind]].push({ id: deviceId, name: label });
      }
    }
    return found;
  }

  async #open(kind, device) {
    const { echoCancellation, noiseSuppression } = this.settings;
    const constraints =
      kind === "camera"
        ? { video: { ...device, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } } }
        : { audio: { ...device, echoCancellation, noiseSuppression, autoGainControl: noiseSuppression } };
    const stream = await navigator.mediaDevices.getUserMedia(constraints);
    const [track] = stream.getTracks();
    this.#inUse[kind] = track.getSettings().deviceId ?? "";
    return track;
  }

  async #changed() {
    const lists = await this.list();
    this.dispatchEvent(new CustomEvent("change", { detail: lists }));
    for (const kind of ["camera", "microphone"]) {
      const chosen = this.settings[`${kind}Id`];
      const back = lists[kind].some(({ id }) => id && id === chosen) && this.#inUse[kind] !== chosen;
      if (back) this.dispatchEvent(new CustomEvent("reopen", { detail: { kind } }));
    }
  }
}
