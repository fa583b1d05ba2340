// SPDX-License-Identifier: GPL-3.0-or-later
/** What a call does beside its screen: the ringing, the tab's title, the clock, the screen that stays awake. */

import { byId } from "./dom.js";
import { duration } from "./format.js";
import { texts } from "./messages.js";

export class Attention {
  #ringer;
  #onFlash;
  #flash = null;
  #clock = null;
  #beganAt = null;
  #wakeLock = null;

  /** @param onFlash {() => void} once a second while it rings */
  constructor(ringer, onFlash) {
    this.#ringer = ringer;
    this.#onFlash = onFlash;
  }

  /** Whether a ring would be heard. */
  get audible() {
    return this.#ringer.audible;
  }

  /** Seconds since the call began, null before. */
  get seconds() {
    return this.#beganAt === null ? null : (performance.now() - this.#beganAt) / 1000;
  }

  /** Somebody calls: the sound, and a title that can be seen among other tabs. */
  attract(name) {
    this.quiet();
    this.#ringer.play("incoming");
    let on = false;
    const flip = () => {
      on = !on;
      document.title = on ? texts.incomingTitle(name) : texts.appName;
      this.#onFlash();
    };
    flip();
    this.#flash = setInterval(flip, 1000);
  }

  /** "outgoing" until `quiet`, or "ended" once. */
  play(sound) {
    this.quiet();
    this.#ringer.play(sound);
  }

  quiet() {
    clearInterval(this.#flash);
    this.#flash = null;
    document.title = texts.appName;
    this.#ringer.stop();
  }

  startClock() {
    this.stopClock();
    this.#beganAt = performance.now();
    this.#clock = setInterval(() => this.#tick(), 500);
    this.#tick();
    navigator.wakeLock?.request("screen").then(
      (lock) => (this.#beganAt === null ? lock.release() : (this.#wakeLock = lock)),
      () => {},
    );
  }

  stopClock() {
    clearInterval(this.#clock);
    this.#clock = this.#beganAt = null;
    this.#wakeLock?.release().catch(() => {});
    this.#wakeLock = null;
  }

  #tick() {
    byId("call-timer").textContent = duration(Math.floor(this.seconds));
  }
}
