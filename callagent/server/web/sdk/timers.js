// SPDX-License-Identifier: Apache-2.0
/**
 * Timers that keep running in a background tab.
 *
 * Browsers slow the timers of a hidden page down to one a minute, and the service drops a session
 * that is silent for 30 s: an idle phone in a background tab would not ring. A worker's timers are
 * not slowed down. Where there are no workers the host's own timers serve.
 */

const armed = new Map();
let lastId = 0;
let worker = null;

function fire(id) {
  const entry = armed.get(id);
  if (!entry) return;
  armed.delete(id);
  entry.callback();
}

function arm(id, delayMs) {
  if (worker) worker.postMessage({ id, delayMs });
  else setTimeout(fire, delayMs, id);
}

function start() {
  if (typeof Worker === "undefined") return;
  try {
    worker = new Worker(new URL("./timers-worker.js", import.meta.url));
  } catch {
    return;
  }
  worker.onmessage = ({ data }) => fire(data);
  worker.onerror = () => {
    worker = null;
    const now = performance.now();
    for (const [id, entry] of armed) arm(id, Math.max(0, entry.due - now));
  };
}

start();

/**
 * Run `callback` once after `delayMs`.
 * @returns {() => void} cancels it; harmless after it ran
 */
export function later(delayMs, callback) {
  const id = ++lastId;
  armed.set(id, { callback, due: performance.now() + delayMs });
  arm(id, delayMs);
  return () => armed.delete(id);
}
