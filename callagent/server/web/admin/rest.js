// SPDX-License-Identifier: GPL-3.0-or-later
/** REST v4 from a page: one administrator of one app (docs/rest.md). */

export class RestError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Codes that mean: sign in anew. */
const SIGN_IN = new Set([60004, 60005, 60006, 60010, 60012]);

export class Rest {
  #query;

  /** @param {{app: string, user: string, sig: string}} identity */
  constructor(identity) {
    this.#query = { sdkappid: identity.app, identifier: identity.user, usersig: identity.sig, contenttype: "json" };
  }

  /** The reply's `Response`. Throws RestError, and TypeError when the service is not reached. */
  async ask(command, body = {}) {
    const random = crypto.getRandomValues(new Uint32Array(1))[0];
    const query = new URLSearchParams({ ...this.#query, random: String(random) });
    const reply = await fetch(`/v4/${command}?${query}`, { method: "POST", body: JSON.stringify(body) });
    const envelope = await reply.json();
    if (envelope.ErrorCode !== 0) throw new RestError(envelope.ErrorCode, envelope.ErrorInfo);
    return envelope.Response;
  }

  /** What everybody may know of the service (GET /healthz). */
  async health() {
    return (await fetch("/healthz")).json();
  }

  static mustSignIn(error) {
    return error instanceof RestError && SIGN_IN.has(error.code);
  }
}
