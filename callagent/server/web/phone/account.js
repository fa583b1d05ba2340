// SPDX-License-Identifier: GPL-3.0-or-later
/** Who signs in here: by form, by link, or remembered from the last time. */

const KEY = "callagent.account";
const DEVICE_KEY = "callagent.device";
export const DEFAULT_APP_ID = 1400000001;

/** The account that was signed in last, or null. @returns {{sdkAppId, userId, userSig}|null} */
export function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

export function remember(account) {
  localStorage.setItem(KEY, JSON.stringify(account));
}

export function forget() {
  localStorage.removeItem(KEY);
}

/**
 * The account in a link's fragment, `#user=alice&sig=…&app=1400000001`, or null.
 * It is taken out of the address bar and the history: a ticket is as good as a password. It is remembered at
 * once, so that reloading the page does not lose it.
 */
export function fromLink() {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (!fields.has("user") || !fields.has("sig")) return null;
  history.replaceState(null, "", location.pathname + location.search);
  const sdkAppId = Number(fields.get("app") ?? DEFAULT_APP_ID);
  const account = { sdkAppId, userId: fields.get("user"), userSig: fields.get("sig") };
  remember(account);
  return account;
}

/** The signalling address of the service this page came from. */
export function signallingUrl() {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/signal`;
}

/**
 * This tab's device id. It survives a reload, so that the service ends the session from before; a
 * duplicated tab gets another one, else the two would end each other's session for ever.
 */
export async function deviceId() {
  const stored = sessionStorage.getItem(DEVICE_KEY);
  if (stored && (await claim(stored))) return stored;
  const fresh = `web-${crypto.randomUUID()}`;
  sessionStorage.setItem(DEVICE_KEY, fresh);
  await claim(fresh);
  return fresh;
}

/** Hold the lock of that name for as long as this page lives; false when another tab holds it. */
function claim(id) {
  return new Promise((resolve) => {
    navigator.locks.request(id, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock ? new Promise(() => {}) : undefined;
    });
  });
}
