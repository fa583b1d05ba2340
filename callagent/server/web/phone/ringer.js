// SPDX-License-Identifier: GPL-3.0-or-later
/** The sounds of the phone, made by Web Audio: ringing, ring-back, hang-up. */

const PATTERNS = {
  // [start s, length s, Hz…]: a soft rising third, twice
  incoming: { every: 3, notes: [[0, 0.35, 659, 1318], [0.28, 0.5, 831, 1662], [0.95, 0.35, 659, 1318], [1.23, 0.5, 831, 1662]] },
  outgoing: { every: 4, notes: [[0, 1, 425]] },
  ended: { every: 0, notes: [[0, 0.16, 520], [0.18, 0.28, 390]] },
};
const LOUDNESS = { incoming: 0.22, outgoing: 0.06, ended: 0.1 };

export class Ringer {
  #context = null;
  #timer = null;
  #output = null;
  #playing = null;

  constructor() {
    // Browsers let a page make sound only after a touch, click or key.
    for (const gesture of ["pointerdown", "keydown"]) {
      addEventListener(gesture, () => this.#wake(), { capture: true, passive: true });
    }
  }

  /** Whether a sound would be heard now. */
  get audible() {
    return this.#context?.state === "running";
  }

  /** Play "incoming", "outgoing" (both until stopped) or "ended" (once). The same one never plays twice. */
  play(name) {
    if (this.#playing === name) return;
    this.stop();
    this.#context ??= new AudioContext();
    this.#playing = name;
    this.#round(name);
    if (name === "incoming") navigator.vibrate?.([400, 200, 400]);
  }

  /** Silent at once. */
  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#playing = null;
    this.#output?.disconnect();
    this.#output = null;
    navigator.vibrate?.(0);
  }

  #wake() {
    this.#context ??= new AudioContext();
    if (this.#context.state === "suspended") this.#context.resume().catch(() => {});
  }

  #round(name) {
    const { every, notes } = PATTERNS[name];
    this.#output = this.#context.createGain();
    this.#output.gain.value = LOUDNESS[name];
    this.#output.connect(this.#context.destination);
    const strike = () => {
      if (!this.audible) return;
      for (const [start, length, ...tones] of notes) this.#note(start, length, tones);
    };
    strike();
    if (every) this.#timer = setInterval(strike, every * 1000);
    else this.#playing = null;
  }

  #note(start, length, tones) {
    const from = this.#context.currentTime + start;
    for (const [index, hz] of tones.entries()) {
      const oscillator = new OscillatorNode(this.#context, { frequency: hz });
      const envelope = new GainNode(this.#context, { gain: 0 });
      envelope.gain.setValueAtTime(0, from);
      envelope.gain.linearRampToValueAtTime(index ? 0.25 : 1, from + 0.02);
      envelope.gain.setTargetAtTime(0, from + length * 0.6, length * 0.12);
      oscillator.connect(envelope).connect(this.#output);
      oscillator.start(from);
      oscillator.stop(from + length + 0.2);
    }
  }
}
