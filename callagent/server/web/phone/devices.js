// SPDX-License-Identifier: GPL-3.0-or-later
/** The cameras, microphones and speakers of this browser, and which of them to use. */

import { deviceError } from "../sdk/index.js";

const KEY = "callagent.devices";
const DEFAULTS = {
  cameraId: "",
  microphoneId: "",
  speakerId: "",
  echoCancellation: true,
  noiseSuppression: true,
};
const KINDS = { videoinput: "camera", audioinput: "microphone", audiooutput: "speaker" };

export const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;

/** The engine's media source. Settings are kept from visit to visit. */
export class Devices {
  settings = { ...DEFAULTS, ...stored() };

  change(settings) {
    Object.assign(this.settings, settings);
    localStorage.setItem(KEY, JSON.stringify(this.settings));
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
    return stream.getTracks()[0];
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
