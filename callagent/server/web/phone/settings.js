// SPDX-License-Identifier: GPL-3.0-or-later
/** The dialog for devices and sound processing; changes apply at once, also in a running call. */

import { CallError, ErrorCode, MediaType } from "../sdk/index.js";
import { canChooseSpeaker } from "./devices.js";
import { byId } from "./dom.js";
import { errorText, texts } from "./messages.js";

const NAMES = { camera: texts.deviceCamera, microphone: texts.deviceMicrophone, speaker: texts.deviceSpeaker };

const CLOSE_FIRST = { closeFirst: true };

export class Settings {
  #devices;
  #engine;
  #dialog = byId("settings");
  #error = byId("settings-error");

  constructor(devices, engine) {
    this.#devices = devices;
    this.#engine = engine;
    byId("speaker-field").hidden = !canChooseSpeaker;
    this.#bind("setting-camera", (value) => this.#reopen({ cameraId: value }, ["camera"]));
    this.#bind("setting-microphone", (value) => this.#reopen({ microphoneId: value }, ["microphone"]));
    this.#bind("setting-speaker", (value) => this.#changeSpeaker(value));
    this.#bind("setting-echo", (value) => this.#reopen({ echoCancellation: value }, ["microphone"], CLOSE_FIRST));
    this.#bind("setting-noise", (value) => this.#reopen({ noiseSuppression: value }, ["microphone"], CLOSE_FIRST));
    devices.addEventListener("change", () => this.#dialog.open && this.#fill());
    devices.addEventListener("reopen", ({ detail }) => engine.replaceDevices([detail.kind]).catch(() => {}));
    byId("switch-to-audio").addEventListener("click", () => this.#switchToAudio());
  }

  async open() {
    this.#say("");
    await this.#fill();
    this.#dialog.showModal();
  }

  #bind(id, change) {
    const input = byId(id);
    input.addEventListener("change", async () => {
      this.#say("");
      try {
        await change(input.type === "checkbox" ? input.checked : input.value);
      } catch (error) {
        this.#say(errorText(error));
      }
    });
  }

  async #reopen(changed, kinds, how) {
    const before = { ...this.#devices.settings };
    this.#devices.change(changed);
    try {
      await this.#engine.replaceDevices(kinds, how);
    } catch (error) {
      this.#devices.change(before);
      await this.#fill();
      throw error;
    }
  }

  async #switchToAudio() {
    try {
      await this.#engine.switchMediaType(MediaType.AUDIO);
      this.#dialog.close();
    } catch (error) {
      this.#say(errorText(error));
    }
  }

  async #changeSpeaker(speakerId) {
    try {
      await this.#engine.setSpeaker(speakerId);
    } catch (error) {
      throw new CallError(ErrorCode.DEVICE_SPEAKER, String(error.message));
    }
    this.#devices.change({ speakerId });
  }

  async #fill() {
    const found = await this.#devices.list();
    const { settings } = this.#devices;
    let unnamed = false;
    for (const kind of Object.keys(NAMES)) {
      const named = found[kind].filter(({ id }) => id);
      unnamed ||= found[kind].length > named.length;
      this.#options(kind, found[kind], named, settings[`${kind}Id`]);
    }
    byId("settings-permission").hidden = !unnamed;
    const { status, mediaType, members, inviting } = this.#engine.state;
    const two = Object.keys(members).length === 1 && Object.keys(inviting).length === 0;
    byId("switch-to-audio").hidden = status !== "connected" || mediaType !== MediaType.VIDEO || !two;
    byId("setting-echo").checked = settings.echoCancellation;
    byId("setting-noise").checked = settings.noiseSuppression;
  }

  #options(kind, found, named, chosen) {
    const select = byId(`setting-${kind}`);
    const first = new Option(found.length || kind === "speaker" ? texts.deviceDefault : texts.deviceNone, "");
    const options = named.map(({ id, name }, index) => {
      return new Option(name || texts.deviceNumbered(NAMES[kind], index + 1), id);
    });
    select.replaceChildren(first, ...options);
    select.value = named.some(({ id }) => id === chosen) ? chosen : "";
    select.disabled = found.length === 0 && kind !== "speaker";
  }

  #say(text) {
    this.#error.textContent = text;
    this.#error.hidden = !text;
  }
}
