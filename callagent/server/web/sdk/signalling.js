// SPDX-License-Identifier: Apache-2.0
/**
 * The signalling connection: one session over one or more WebSockets (docs/protocol.md).
 *
 * A connection that is lost, or does not answer a ping in time, is replaced by a new one that
 * resumes the session. Every durable event is handed on once and in order.
 *
 * Dispatches (CustomEvent, `detail` in braces):
 * - `connection` {state}: "closed" | "connecting" | "online" | "reconnecting"
 * - `session` {hello, resumed}: after each successful hello
 * - `caughtUp` {}: what was missed while the session was away has been handed on
 * - `event` {name, time, data}: a durable event of the service
 * - `media` {sender, media}, `commandAnswer` {sender, answer}, `presence` {...}: of the moment
 * - `ended` {error}: the service will not have this session any more; no reconnect follows
 */

import { CallError, ErrorCode } from "./errors.js";
import { later } from "./timers.js";

export const PROTOCOL_VERSION = 1;

const CONNECT_DEADLINE_MS = 6000;
const REQUEST_DEADLINE_MS = 10000;
const BACKOFF_FIRST_MS = 250;
/** While the session can still be resumed haste pays; afterwards patience does. */
const BACKOFF_RESUMABLE_MS = 3000;
const BACKOFF_LONGEST_MS = 30000;

const FINAL_CODES = new Set([
  ErrorCode.KICKED_OFFLINE,
  ErrorCode.USER_BLOCKED,
  ErrorCode.USERSIG_EXPIRED,
  ErrorCode.USERSIG_INVALID,
  ErrorCode.UNKNOWN_APP,
  ErrorCode.PROTOCOL_VERSION,
]);

export class Signalling extends EventTarget {
  #device;
  #credentials = null;
  #state = "closed";
  #socket = null;
  #session = null;
  #timing = { idleMs: 10000, callMs: 3000, replyMs: 3000, silenceMs: 30000 };
  #lastSeq = 0;
  /** What the service had told by the last resume; null once all of it is here. */
  #resumedTo = null;
  #nextId = 1;
  #pending = new Map();
  #held = [];
  #inCall = false;
  #attempt = 0;
  #lostAt = 0;
  #gapAt = null;
  #cancelPing = () => {};
  #cancelRetry = () => {};
  #cancelConnect = () => {};
  #firstHello = null;
  #networkChanged = () => this.reconnect();

  /** @param device {{deviceId: string, platform?: string, version?: string, model?: string}} */
  constructor(device) {
    super();
    this.#device = device;
  }

  get state() {
    return this.#state;
  }

  /** The session id, null before the first login. */
  get sessionId() {
    return this.#session?.sessionId ?? null;
  }

  /** Number of the last event that was handled. */
  get lastSeq() {
    return this.#lastSeq;
  }

  /**
   * Connect and log in; resolves with the hello reply's data.
   * Rejects with a CallError: the service's code, or SIGNALING_SEND_FAIL when it cannot be reached.
   * @param credentials {{url: string, sdkAppId: number, userId: string, userSig: string}}
   */
  open(credentials) {
    if (this.#credentials) {
      return Promise.reject(new CallError(ErrorCode.REQUEST_REPEATED, "A login is running already"));
    }
    this.#credentials = credentials;
    this.#setState("connecting");
    globalThis.addEventListener?.("online", this.#networkChanged);
    globalThis.addEventListener?.("offline", this.#networkChanged);
    return new Promise((resolve, reject) => {
      this.#firstHello = { resolve, reject };
      this.#connect();
    });
  }

  /** Log out and close. Never rejects; the service learns of it when it can be reached. */
  close() {
    if (!this.#credentials) return;
    if (this.#state === "online") this.#write({ type: "logout", id: this.#nextId++ });
    this.#finish(new CallError(ErrorCode.INIT_FAIL, "Logged out"));
  }

  /**
   * Send a request; resolves with the reply's data.
   * While the connection is away the request waits for the next one, up to its deadline.
   * @param options.resend a request that was sent but not answered before the connection was lost is sent
   *   again after a resume; without it, it fails with SIGNALING_SEND_FAIL.
   */
  request(type, fields = {}, { deadlineMs = REQUEST_DEADLINE_MS, resend = false } = {}) {
    if (!this.#credentials) return Promise.reject(new CallError(ErrorCode.INIT_FAIL, "Not logged in"));
    return new Promise((resolve, reject) => {
      const entry = { type, fields, resend, resolve, reject, id: 0, cancel: null };
      entry.cancel = later(deadlineMs, () => {
        this.#forget(entry);
        reject(unreachable("The service did not answer in time"));
      });
      if (this.#state === "online") this.#transmit(entry);
      else this.#held.push(entry);
    });
  }

  /** Ping more often while in a call. */
  setInCall(inCall) {
    if (this.#inCall === inCall) return;
    this.#inCall = inCall;
    if (this.#state === "online") this.#schedulePing();
  }

  /** Is the connection still alive? Worth asking when a page becomes visible again. */
  probe() {
    if (this.#state === "online") this.#ping();
    else this.reconnect();
  }

  /** Give the present connection up and open a new one now. */
  reconnect() {
    if (!this.#credentials || this.#state === "connecting") return;
    this.#attempt = 0;
    this.#lose();
    this.#cancelRetry();
    this.#connect();
  }

  #connect() {
    this.#cancelRetry();
    this.#dropSocket();
    let socket;
    try {
      socket = new WebSocket(this.#credentials.url);
    } catch (error) {
      this.#finish(new CallError(ErrorCode.PARAM_INVALID, String(error.message), "url"));
      return;
    }
    this.#socket = socket;
    this.#cancelConnect = later(CONNECT_DEADLINE_MS, () => this.#broken(socket));
    socket.onopen = () => socket === this.#socket && this.#hello();
    socket.onmessage = ({ data }) => socket === this.#socket && this.#read(data);
    socket.onclose = () => this.#broken(socket);
  }

  #hello() {
    const { url: _url, ...who } = this.#credentials;
    const hello = { type: "hello", id: this.#nextId++, protocol: PROTOCOL_VERSION, ...who, ...this.#device };
    if (this.#session) hello.resume = { ...this.#session, lastSeq: this.#lastSeq };
    this.#pending.set(hello.id, {
      resolve: (data) => this.#welcome(data),
      reject: (error) => this.#refused(error),
      cancel: () => {},
      resend: false,
    });
    this.#write(hello);
  }

  #welcome(data) {
    this.#cancelConnect();
    this.#attempt = 0;
    const resumed = data.resumed && this.#session !== null;
    if (!resumed) this.#lastSeq = 0;
    this.#session = { sessionId: data.sessionId, resumeToken: data.resumeToken };
    this.#timing = {
      idleMs: data.pingIdle * 1000,
      callMs: data.pingCall * 1000,
      replyMs: data.pingReply * 1000,
      silenceMs: data.sessionSilence * 1000,
    };
    const first = this.#firstHello;
    this.#firstHello = null;
    this.#setState("online");
    this.#schedulePing();
    this.#tell("session", { hello: data, resumed });
    this.#resumedTo = resumed ? data.seq : null;
    this.#tellCaughtUp();
    first?.resolve(data);
    for (const entry of this.#held.splice(0)) this.#transmit(entry);
  }

  #refused(error) {
    if (this.#firstHello || FINAL_CODES.has(error.code)) this.#finish(error);
    else this.#broken(this.#socket);
  }

  #read(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    switch (message.type) {
      case "reply":
        return this.#onReply(message);
      case "event":
        return this.#onEvent(message);
      case "media":
        return this.#tell("media", { sender: message.sender, media: message.media });
      case "commandAnswer":
        return this.#tell("commandAnswer", { sender: message.sender, answer: message.answer });
      case "presence":
        return this.#tell("presence", message);
      case "bye":
        return this.#onBye(message);
    }
  }

  #onReply({ id, code, message, field, data }) {
    const entry = this.#pending.get(id);
    if (!entry) return;
    this.#pending.delete(id);
    entry.cancel();
    if (code === 0) entry.resolve(data ?? {});
    else entry.reject(new CallError(code, message, field ?? null));
  }

  #onEvent({ seq, event, time, data }) {
    if (seq <= this.#lastSeq) return;
    if (seq > this.#lastSeq + 1 && this.#gapAt !== this.#lastSeq) {
      // Something between was lost: have it replayed. If it stays lost the service no longer has it.
      this.#gapAt = this.#lastSeq;
      this.reconnect();
      return;
    }
    this.#lastSeq = seq;
    this.#tell("event", { name: event, time, data });
    this.#tellCaughtUp();
  }

  #tellCaughtUp() {
    if (this.#resumedTo === null || this.#lastSeq < this.#resumedTo) return;
    this.#resumedTo = null;
    this.#tell("caughtUp", {});
  }

  #onBye({ code, message }) {
    if (FINAL_CODES.has(code)) this.#finish(new CallError(code, message));
    else this.#broken(this.#socket);
  }

  #transmit(entry) {
    entry.id = this.#nextId++;
    this.#pending.set(entry.id, entry);
    this.#write({ ...entry.fields, type: entry.type, id: entry.id });
  }

  #write(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #schedulePing() {
    this.#cancelPing();
    const { callMs, idleMs } = this.#timing;
    this.#cancelPing = later(this.#inCall ? callMs : idleMs, () => this.#ping());
  }

  #ping() {
    this.#cancelPing();
    const socket = this.#socket;
    const id = this.#nextId++;
    const cancel = later(this.#timing.replyMs, () => {
      this.#pending.delete(id);
      if (socket === this.#socket && this.#state === "online") this.reconnect();
    });
    const settle = () => this.#schedulePing();
    this.#pending.set(id, { resolve: settle, reject: settle, cancel, resend: false });
    this.#write({ type: "ping", id, ack: this.#lastSeq });
  }

  #broken(socket) {
    if (socket !== this.#socket || !this.#credentials) return;
    if (this.#firstHello) {
      this.#finish(unreachable("The service cannot be reached"));
      return;
    }
    this.#lose();
    const away = performance.now() - this.#lostAt;
    const longest = away < this.#timing.silenceMs ? BACKOFF_RESUMABLE_MS : BACKOFF_LONGEST_MS;
    const backoff = Math.min(longest, BACKOFF_FIRST_MS * 2 ** this.#attempt++);
    this.#cancelRetry();
    this.#cancelRetry = later(backoff * (0.5 + Math.random() / 2), () => this.#connect());
  }

  /** Drop the connection; what was asked of it waits for the next one or fails. */
  #lose() {
    this.#dropSocket();
    this.#cancelPing();
    if (this.#state === "online") this.#lostAt = performance.now();
    const unanswered = [...this.#pending.values()];
    this.#pending.clear();
    const again = [];
    for (const entry of unanswered) {
      if (entry.resend) again.push(entry);
      else if (entry.type) {
        entry.cancel();
        entry.reject(unreachable("The connection was lost before the service answered"));
      } else entry.cancel();
    }
    this.#held.unshift(...again);
    this.#setState("reconnecting");
  }

  #dropSocket() {
    this.#cancelConnect();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #finish(error) {
    const first = this.#firstHello;
    const entries = [...this.#pending.values(), ...this.#held];
    this.#firstHello = null;
    this.#credentials = null;
    this.#session = null;
    this.#lastSeq = 0;
    this.#gapAt = null;
    this.#attempt = 0;
    this.#pending.clear();
    this.#held = [];
    this.#cancelPing();
    this.#cancelRetry();
    this.#dropSocket();
    globalThis.removeEventListener?.("online", this.#networkChanged);
    globalThis.removeEventListener?.("offline", this.#networkChanged);
    for (const entry of entries) {
      entry.cancel();
      if (entry.type) entry.reject(error);
    }
    this.#setState("closed");
    if (first) first.reject(error);
    else this.#tell("ended", { error });
  }

  #forget(entry) {
    this.#pending.delete(entry.id);
    const index = this.#held.indexOf(entry);
    if (index >= 0) this.#held.splice(index, 1);
  }

  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#tell("connection", { state });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function unreachable(message) {
  return new CallError(ErrorCode.SIGNALING_SEND_FAIL, message);
}
