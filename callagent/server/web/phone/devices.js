// SPDX-License-Identifier: GPL-3.0-or-later
/** The SDK's devices of this browser, with a choice that is kept from visit to visit. */

import { BrowserDevices } from "../sdk/index.js";

const KEY = "callagent.devices";

export const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;

export class Devices extends BrowserDevices {
  constructor() {
    super(stored());
  }

  change(settings) {
    super.change(settings);
    localStorage.setItem(KEY, JSON.stringify(this.settings));
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}
