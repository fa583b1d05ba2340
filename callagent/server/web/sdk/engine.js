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
 * `onUserVoiceVolumeChanged` {volumeMap}, `onUserNetworkQualityChanged` {networkQualityList},
 * `onPresence` {userId, nickname, status, inCall}, `onUserSigExpired` {}, `onLoggedOut` {code, message},
 * `onError` {code, message}.
 */

import { RemoteCommands } from "./commands.js";
import { Conversation } from "./conversation.js";
import { CallStatus, MediaType } from "./enums.js";
import { CallError, ErrorCode } from "./errors.js";
import { Signalling } from "./signalling.js";
import { IDLE, transition } from "./state.js";
import { later } from "./timers.js";

export const SDK_VERSION = "0.1.0";

/** Long enough to outlive a lost connection: a hang-up must reach the service. */
const HANGUP_DEADLINE_MS = 30000;
/** "sfu": this client can have its media run through a media server. */
const CAPABILITIES = ["sfu"];

export class CallEngine extends EventTarget {
  #signalling;
  #conversation;
  #commands;
  #state = IDLE;
  #userId = null;
  #cancelDeadline = () => {};

  /**
   * @param options.source where tracks come from: {open(kind: "microphone"|"camera"): Promise<MediaStreamTrack>}
   * @param options.deviceId stable for this program on this machine; two programs must not share one
   * @param options.videoCodecs in order of preference, default H.264 then VP8
   */
  constructor({ source, deviceId = randomDeviceId(), model = "", videoCodecs = ["H264", "VP8"] }) {
    super();
    const device = { deviceId, model, platform: "web", version: SDK_VERSION, capabilities: CAPABILITIES };
    this.#signalling = new Signalling(device);
    const parts = { signalling: this.#signalling, source, videoCodecs, state: () => this.#state };
    this.#conversation = new Conversation(parts);
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
    return this.#conversation.microphoneOn;
  }

  get cameraOn() {
    return this.#conversation.cameraOn;
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
   * Call one or several. Devices are opened at once: the microphone, and the camera for a video call. One that
   * cannot be opened is reported by onError; the call goes on without it.
   * @returns {Promise<{callId, roomId, timeout, refused: {userId, code, message}[]}>} `refused`: who of several
   *   cannot be called; the others are
   */
  async calls({ userIdList, mediaType, timeout = 30, userData = "", ...optional }) {
    this.#requireLogin();
    this.#requireStatus([CallStatus.IDLE], "A call is running already");
    this.#apply({ type: "calls", userIdList, mediaType, userData });
    const { roomId, chatGroupId, offlinePushInfo } = optional;
    const fields = { userIdList, mediaType, timeout, userData, roomId, chatGroupId, offlinePushInfo };
    try {
      const reply = await this.#ask("calls", fields);
      this.#apply({ type: "callsReply", ...reply });
      return reply;
    } catch (error) {
      this.#apply({ type: "callsFailed" });
      throw error;
    }
  }

  /** Enter a running call, the microphone open, the camera closed. */
  async join(callId) {
    this.#requireLogin();
    this.#requireStatus([CallStatus.IDLE], "A call is running already");
    this.#apply({ type: "join", callId });
    try {
      await this.#ask("join", { callId });
    } catch (error) {
      const { callId: current, status } = this.#state;
      // A repeated one is refused although the first one, whose reply was lost, was carried out.
      if (current === callId && status === CallStatus.CONNECTED) return;
      if (current === callId) this.#apply({ type: "joinFailed" });
      throw error;
    }
  }

  /**
   * Have others rung into this call; a call of two becomes one of many.
   * @param invitation.timeout seconds; 0 means 30
   * @returns {Promise<{invited: string[], refused: {userId, code, message}[]}>}
   */
  async inviteUser({ userIdList, timeout = 30 }) {
    this.#requireStatus([CallStatus.CALLING, CallStatus.CONNECTED], "There is no call to invite to");
    return this.#ask("inviteUser", { callId: this.#state.callId, userIdList, timeout });
  }

  /** Of two people, go on without pictures: both cameras close (onCallMediaTypeChanged). */
  async switchMediaType(mediaType) {
    this.#requireStatus([CallStatus.CONNECTED], "There is no call");
    await this.#ask("switchMediaType", { callId: this.#state.callId, mediaType });
  }

  /** Answer. @param options.video whether to open the camera; default: as the call is */
  async accept({ video = this.#state.mediaType === MediaType.VIDEO } = {}) {
    this.#requireLogin();
    this.#requireStatus([CallStatus.RINGING], "Nobody is calling");
    if (this.#state.answering) throw new CallError(ErrorCode.REQUEST_REPEATED, "Answering already");
    const { callId } = this.#state;
    this.#apply({ type: "accept", video });
    try {
      await this.#ask("accept", { callId });
    } catch (error) {
      const { callId: current, status } = this.#state;
      // A repeated accept is refused although the first one, whose reply was lost, connected the call.
      if (current === callId && status === CallStatus.CONNECTED) return;
      if (current === callId) this.#apply({ type: "acceptFailed", over: error.code === ErrorCode.INVITE_HANDLED });
      throw error;
    }
  }

  async reject() {
    this.#requireStatus([CallStatus.RINGING], "Nobody is calling");
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
    await this.#conversation.setMicrophone(on);
  }

  /** Rejects with a CallError when the camera cannot be opened. */
  async setCamera(on) {
    this.#requireCall();
    await this.#conversation.setCamera(on);
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

  /**
   * The media source's choice of devices or settings changed: open what is in use anew, without a gap.
   * @param kinds "camera", "microphone" or both
   * @param how.closeFirst {boolean} for other settings of the same device: with a short gap
   */
  async replaceDevices(kinds = ["microphone", "camera"], how = {}) {
    await this.#conversation.reopen(kinds, how);
  }

  /** Send the sound of the others to that speaker, now and from now on; "" is the system's default. */
  async setSpeaker(speakerId) {
    await this.#conversation.setSpeaker(speakerId);
  }

  /**
   * Play a member's picture and sound in `view`, a <video> or anything with `srcObject`, until the call ends.
   * @param layer "h", large; "l", small, where a media server offers both
   */
  startRemoteView(userId, view, layer = "h") {
    this.#requireCall();
    this.#conversation.startView(userId, view);
    this.#conversation.setLayer(userId, layer);
  }

  /** The member's picture is not wanted for now, which saves its way here; its sound goes on. */
  stopRemoteView(userId) {
    this.#conversation.setLayer(userId, "off");
  }

  /** "h", "l" or "off": what size of a member's picture to receive. */
  setRemoteLayer(userId, layer) {
    this.#conversation.setLayer(userId, layer);
  }

  /** Who is there. With `subscribe`, onPresence tells every change after. */
  async getUsers({ userIds, subscribe = false } = {}) {
    const fields = { subscribe, ...(userIds ? { userIds } : {}) };
    return (await this.#ask("getUsers", fields)).users;
  }

  /** This user's own calls, newest first. @param options.before Unix seconds */
  async getHistory({ limit = 50, before } = {}) {
    const fields = { limit, ...(before ? { before } : {}) };
    return (await this.#ask("getHistory", fields)).calls;
  }

  async setSelfInfo(info) {
    return this.#ask("setSelfInfo", info);
  }

  /** The browser's statistics of the media with that user, of one's own to the media server; null without. */
  async getStats(userId) {
    return (await this.#conversation.connection(userId)?.getStats()) ?? null;
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
    listen(this.#signalling, "presence", (data) => this.#emit("onPresence", data));
    listen(this.#signalling, "ended", this.#onEnded);
    listen(this.#conversation, "event", ({ name, data }) => this.#emit(name, data));
    listen(this.#conversation, "failure", ({ error }) => this.#error(error));
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
      this.#conversation.follow(before.members, this.#state.members);
      this.#signalling.setInCall(this.#state.status !== CallStatus.IDLE);
      this.#emit("onStateChange", { state: this.#state });
    }
  }

  #perform(action) {
    switch (action.type) {
      case "openMedia":
        return this.#conversation.open({ userId: this.#userId, sessionId: this.sessionId }, action.video);
      case "closeMedia":
        return this.#conversation.close();
      case "hangup":
        return this.#sendHangup(action.callId);
      case "deadline":
        return this.#setDeadline(action.afterMs);
      case "plan":
        return this.#conversation.plan(action.data);
      case "userLeft":
        return this.#conversation.userLeft(action.userId);
      case "closeCamera":
        // It cannot fail: nothing is opened.
        return void this.#conversation.setCamera(false);
      case "emit":
        if (action.name === "onCallBegin") this.#conversation.begin();
        return this.#emit(action.name, action.data);
    }
  }

  #sendHangup(callId) {
    const options = { resend: true, deadlineMs: HANGUP_DEADLINE_MS };
    // Whatever the service answers, the call is over here; its end event tells how.
    this.#signalling.request("hangup", { callId }, options).catch(() => {});
  }

  #setDeadline(afterMs) {
    this.#cancelDeadline();
    if (afterMs === null) return;
    const { callId } = this.#state;
    this.#cancelDeadline = later(afterMs, () => this.#apply({ type: "expired", callId }));
  }

  /** A request that is asked again after a resume. Fields without a value are left out. */
  #ask(type, fields) {
    return this.#signalling.request(type, fields, { resend: true });
  }

  #requireLogin() {
    if (this.#signalling.state === "closed") throw new CallError(ErrorCode.INIT_FAIL, "Log in first");
  }

  #requireStatus(allowed, message) {
    if (!allowed.includes(this.#state.status) || this.#state.leaving) {
      throw new CallError(ErrorCode.REQUEST_REFUSED, message);
    }
  }

  #requireCall() {
    if (!this.#conversation.running) throw new CallError(ErrorCode.REQUEST_REFUSED, "There is no call");
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
