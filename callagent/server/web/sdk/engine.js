// SPDX-License-Identifier: Apache-2.0
/**
 * The call engine: log in, call, answer, hang up, without a user interface.
 *
 *     const engine = new CallEngine({ source: { open: (kind) => myTrack(kind) } });
 *     engine.on("onCallReceived", ({ callId, callerId }) => ...);
 *     await engine.login({ url: "wss://host:8443/v1/signal", sdkAppId, userId, userSig });
 *     await engine.calls({ userIdList: ["kiosk"], mediaType: MediaType.VIDEO });
 *
 * Methods reject with a CallError. Events are CustomEvents whose `detail` is the data: those of the
 * service under its names (docs/protocol.md), and this engine's own:
 * `onStateChange` {state}, `onConnectionChange` {state}, `onRemoteStream` {userId, stream|null},
 * `onLocalMedia` {microphone, camera, stream|null}, `onUserReconnecting` {userId, reconnecting},
 * `onPresence` {userId, nickname, status, inCall}, `onUserSigExpired` {}, `onLoggedOut` {code, message},
 * `onError` {code, message}.
 */

import { RemoteCommands } from "./commands.js";
import { CallStatus, MediaType } from "./enums.js";
import { CallError, ErrorCode } from "./errors.js";
import { LocalMedia } from "./local.js";
import { CallMedia } from "./media.js";
import { Signalling } from "./signalling.js";
import { IDLE, transition } from "./state.js";
import { later } from "./timers.js";

export const SDK_VERSION = "0.1.0";

/** Long enough to outlive a lost connection: a hang-up must reach the service. */
const HANGUP_DEADLINE_MS = 30000;

export class CallEngine extends EventTarget {
  #signalling;
  #local;
  #media = null;
  #state = IDLE;
  #userId = null;
  #videoCodecs;
  #cancelDeadline = () => {};
  #announcing = Promise.resolve();
  #commands;

  /**
   * @param options.source where tracks come from: {open(kind: "microphone"|"camera"): Promise<MediaStreamTrack>}
   * @param options.deviceId stable for this program on this machine; two programs must not share one
   * @param options.videoCodecs in order of preference, default H.264 then VP8
   */
  constructor({ source, deviceId = randomDeviceId(), model = "", videoCodecs = ["H264", "VP8"] }) {
    super();
    this.#videoCodecs = videoCodecs;
    this.#signalling = new Signalling({ deviceId, model, platform: "web", version: SDK_VERSION });
    this.#local = new LocalMedia(source);
    this.#commands = new RemoteCommands(this.#signalling);
    this.#listen();
  }

  /** The call's state: see state.js. Frozen in meaning: a new object at every change. */
  get state() {
    return this.#state;
  }

  get userId() {
    return this.#userId;
  }

  get sessionId() {
    return this.#signalling.sessionId;
  }

  /** "closed" | "connecting" | "online" | "reconnecting" */
  get connectionState() {
    return this.#signalling.state;
  }

  get microphoneOn() {
    return this.#local.microphoneOn;
  }

  get cameraOn() {
    return this.#local.cameraOn;
  }

  /** Listen to one event. @returns {() => void} stops listening */
  on(name, callback) {
    const listener = ({ detail }) => callback(detail);
    this.addEventListener(name, listener);
    return () => this.removeEventListener(name, listener);
  }

  /** @param account {{url: string, sdkAppId: number, userId: string, userSig: string}} */
  async login(account) {
    this.#userId = account.userId;
    return this.#signalling.open(account);
  }

  /** Leaves a running call first. */
  async logout() {
    this.#signalling.close();
  }

  /**
   * Call somebody. Devices are opened at once: the microphone, and the camera for a video call. One that
   * cannot be opened is reported by onError; the call goes on without it.
   * @returns {Promise<{callId, roomId, timeout}>}
   */
  async calls({ userIdList, mediaType, timeout = 30, roomId, userData = "" }) {
    this.#requireLogin();
    this.#requireStatus(CallStatus.IDLE, "A call is running already");
    this.#apply({ type: "calls", userIdList, mediaType, userData });
    const fields = { userIdList, mediaType, timeout, userData, ...(roomId === undefined ? {} : { roomId }) };
    try {
      const reply = await this.#signalling.request("calls", fields, { resend: true });
      this.#apply({ type: "callsReply", ...reply });
      return reply;
    } catch (error) {
      this.#apply({ type: "callsFailed" });
      throw error;
    }
  }

  /** Answer. @param options.video whether to open the camera; default: as the call is */
  async accept({ video = this.#state.mediaType === MediaType.VIDEO } = {}) {
    this.#requireLogin();
    this.#requireStatus(CallStatus.RINGING, "Nobody is calling");
    if (this.#state.answering) throw new CallError(ErrorCode.REQUEST_REPEATED, "Answering already");
    const { callId } = this.#state;
    this.#apply({ type: "accept", video });
    try {
      await this.#signalling.request("accept", { callId }, { resend: true });
    } catch (error) {
      const { callId: current, status } = this.#state;
      // A repeated accept is refused although the first one, whose reply was lost, connected the call.
      if (current === callId && status === CallStatus.CONNECTED) return;
      if (current === callId) this.#apply({ type: "acceptFailed", over: error.code === ErrorCode.INVITE_HANDLED });
      throw error;
    }
  }

  async reject() {
    this.#requireStatus(CallStatus.RINGING, "Nobody is calling");
    this.#apply({ type: "leave" });
  }

  /** Ringing: reject; calling: cancel; connected: leave. Always takes effect here at once. */
  async hangup() {
    if (this.#state.status === CallStatus.IDLE) {
      throw new CallError(ErrorCode.REQUEST_REFUSED, "There is no call");
    }
    this.#apply({ type: "leave" });
  }

  /** Rejects with a CallError when the microphone cannot be opened. */
  async setMicrophone(on) {
    this.#requireCall();
    await this.#local.setMicrophone(on);
  }

  /** Rejects with a CallError when the camera cannot be opened. */
  async setCamera(on) {
    this.#requireCall();
    await this.#local.setCamera(on);
  }

  /**
   * Have a member's device do what it offers (`state.members[userId].commands`), such as "openDoor".
   * Resolves when it was done; rejects with what the device answered.
   */
  async command(userId, command) {
    const member = this.#state.members[userId];
    if (!member) throw new CallError(ErrorCode.REQUEST_REFUSED, "That user is not in the call");
    return this.#commands.ask(this.#state.callId, member.sessionId, command);
  }

  /** The media source's choice of devices or settings changed: open what is in use anew. */
  async replaceDevices() {
    await this.#local.reopen();
  }

  /** Who is there. With `subscribe`, onPresence tells every change after. */
  async getUsers({ userIds, subscribe = false } = {}) {
    const fields = { subscribe, ...(userIds ? { userIds } : {}) };
    return (await this.#signalling.request("getUsers", fields, { resend: true })).users;
  }

  /** This user's own calls, newest first. @param options.before Unix seconds */
  async getHistory({ limit = 50, before } = {}) {
    const fields = { limit, ...(before ? { before } : {}) };
    return (await this.#signalling.request("getHistory", fields, { resend: true })).calls;
  }

  async setSelfInfo(info) {
    return this.#signalling.request("setSelfInfo", info, { resend: true });
  }

  /** The browser's statistics of the media with that user; null without a connection. */
  async getStats(userId) {
    return (await this.#media?.connection(userId)?.getStats()) ?? null;
  }

  /** Ask whether the connection is alive, for instance when a page becomes visible again. */
  probe() {
    this.#signalling.probe();
  }

  #listen() {
    const listen = (target, name, handler) =>
      target.addEventListener(name, ({ detail }) => handler.call(this, detail));
    listen(this.#signalling, "connection", ({ state }) => this.#emit("onConnectionChange", { state }));
    listen(this.#signalling, "session", this.#onSession);
    listen(this.#signalling, "event", this.#onEvent);
    listen(this.#signalling, "caughtUp", () => this.#media?.serviceIsBack());
    listen(this.#signalling, "media", ({ sender, media }) => {
      if (media.callId === this.#state.callId) this.#media?.receive(sender, media);
    });
    listen(this.#signalling, "presence", (data) => this.#emit("onPresence", data));
    listen(this.#signalling, "ended", this.#onEnded);
    listen(this.#local, "track", ({ kind, track }) => {
      this.#media?.replaceTrack(kind, track);
      this.#reportLocal();
    });
    listen(this.#local, "availability", (available) => {
      this.#announce(available);
      this.#reportLocal();
    });
    listen(this.#local, "failure", ({ error }) => this.#error(error));
  }

  #onSession({ hello, resumed }) {
    if (!resumed) this.#apply({ type: "sessionLost" });
    const call = hello.call;
    const mine = call?.members.some((m) => m.userId === this.#userId && m.sessionId === hello.sessionId);
    const known = call?.callId === this.#state.callId;
    const asking = this.#state.status === CallStatus.CALLING && !this.#state.callId;
    // A call of this very session that nobody here knows of: its request had timed out.
    if (mine && !known && !asking) this.#sendHangup(call.callId);
  }

  #onEvent({ name, data }) {
    if (name === "onKickedOffline") this.#emit(name, data);
    else this.#apply({ type: "event", name, data });
    if (name === "onUserJoin" || name === "onUserAudioAvailable" || name === "onUserVideoAvailable") {
      const member = this.#state.members[data.userId];
      if (member) this.#media?.setAvailability(data.userId, member);
    }
  }

  #onEnded({ error }) {
    this.#apply({ type: "leave" });
    if (this.#state.status !== CallStatus.IDLE) this.#apply({ type: "sessionLost" });
    if (this.#state.status !== CallStatus.IDLE) this.#apply({ type: "callsFailed" });
    if (error.code === ErrorCode.USERSIG_EXPIRED) this.#emit("onUserSigExpired", {});
    this.#emit("onLoggedOut", { code: error.code, message: error.message });
  }

  #apply(input) {
    const before = this.#state;
    const { state, actions } = transition(before, input);
    this.#state = state;
    for (const action of actions) this.#perform(action);
    if (this.#state !== before) {
      this.#signalling.setInCall(this.#state.status !== CallStatus.IDLE);
      this.#emit("onStateChange", { state: this.#state });
    }
  }

  #perform(action) {
    switch (action.type) {
      case "openMedia":
        return this.#openMedia(action.video);
      case "closeMedia":
        return this.#closeMedia();
      case "hangup":
        return this.#sendHangup(action.callId);
      case "deadline":
        return this.#setDeadline(action.afterMs);
      case "plan":
        return this.#media?.plan(action.data);
      case "emit":
        if (action.name === "onCallBegin") this.#announceAtBegin();
        return this.#emit(action.name, action.data);
    }
  }

  #openMedia(video) {
    this.#closeMedia();
    const media = new CallMedia({
      self: { userId: this.#userId, sessionId: this.sessionId },
      local: this.#local,
      videoCodecs: this.#videoCodecs,
      send: (to, message) => this.#sendMedia(to, message),
    });
    this.#media = media;
    const listen = (name, handler) => media.addEventListener(name, ({ detail }) => handler(detail));
    listen("stream", (detail) => this.#emit("onRemoteStream", detail));
    listen("reconnecting", (detail) => this.#emit("onUserReconnecting", detail));
    listen("trouble", () => this.#error(new CallError(ErrorCode.MEDIA_FAILED)));
    listen("renegotiate", ({ epoch, reason }) => this.#renegotiate(media, epoch, reason));
    // Failures are reported by the "failure" event; the call goes on without the device.
    this.#local.setMicrophone(true).catch(() => {});
    if (video) this.#local.setCamera(true).catch(() => {});
  }

  #closeMedia() {
    this.#media?.close();
    this.#media = null;
    this.#local.reset();
  }

  #sendMedia(to, message) {
    const media = { callId: this.#state.callId, ...message };
    // A peer that is gone needs no media; one whose media stays away gets a new epoch.
    this.#signalling.request("media", { to, media }, { resend: true }).catch(() => {});
  }

  #renegotiate(media, epoch, reason) {
    const { callId } = this.#state;
    this.#signalling
      .request("renegotiate", { callId, epoch, reason }, { resend: true })
      .catch(() => media.renegotiateFailed(epoch));
  }

  #sendHangup(callId) {
    const options = { resend: true, deadlineMs: HANGUP_DEADLINE_MS };
    // Whatever the service answers, the call is over here; its end event tells how.
    this.#signalling.request("hangup", { callId }, options).catch(() => {});
  }

  /** One announcement at a time, the newest last: the service refuses to do the same thing twice at once. */
  #announce(available) {
    const { callId } = this.#state;
    this.#announcing = this.#announcing
      .then(() => this.#setTracks(callId, available))
      .catch((error) => this.#state.callId === callId && this.#error(error));
  }

  async #setTracks(callId, { audio, video }) {
    const { callId: current, status, leaving } = this.#state;
    if (current !== callId || status !== CallStatus.CONNECTED || leaving) return;
    await this.#signalling.request("setTracks", { callId, audio, video }, { resend: true });
  }

  /** The service takes a member for sending what the call is for; say so only where that is wrong. */
  #announceAtBegin() {
    const available = { audio: this.microphoneOn, video: this.cameraOn };
    const assumed = { audio: true, video: this.#state.mediaType === MediaType.VIDEO };
    if (available.audio !== assumed.audio || available.video !== assumed.video) this.#announce(available);
  }

  #reportLocal() {
    const track = this.#local.track("camera");
    this.#emit("onLocalMedia", {
      microphone: this.microphoneOn,
      camera: this.cameraOn,
      stream: track ? new MediaStream([track]) : null,
    });
  }

  #setDeadline(afterMs) {
    this.#cancelDeadline();
    if (afterMs === null) return;
    const { callId } = this.#state;
    this.#cancelDeadline = later(afterMs, () => this.#apply({ type: "expired", callId }));
  }

  #requireLogin() {
    if (this.#signalling.state === "closed") throw new CallError(ErrorCode.INIT_FAIL, "Log in first");
  }

  #requireStatus(status, message) {
    if (this.#state.status !== status || this.#state.leaving) {
      throw new CallError(ErrorCode.REQUEST_REFUSED, message);
    }
  }

  #requireCall() {
    if (!this.#media) throw new CallError(ErrorCode.REQUEST_REFUSED, "There is no call");
  }

  #error(error) {
    this.#emit("onError", { code: error.code, message: error.message });
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function randomDeviceId() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `web-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
