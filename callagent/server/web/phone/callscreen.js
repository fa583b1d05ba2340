// SPDX-License-Identifier: GPL-3.0-or-later
/** The screen of a call: incoming, outgoing, connected and ended. */

import { CallEndReason, CallStatus, MediaType } from "../sdk/index.js";
import { Attention } from "./attention.js";
import { byId, face, fillAvatars } from "./dom.js";
import { duration } from "./format.js";
import { endText, errorText, texts } from "./messages.js";
import { notify, notifyRefused } from "./notices.js";
import { Stage } from "./stage.js";

const PHASES = {
  [CallStatus.CALLING]: "outgoing",
  [CallStatus.RINGING]: "incoming",
  [CallStatus.CONNECTED]: "connected",
};
const DOOR = "openDoor";
/** Another device of the same person did it. */
const ELSEWHERE = new Set([CallEndReason.OTHER_DEVICE_ACCEPTED, CallEndReason.OTHER_DEVICE_REJECT]);

export class CallScreen {
  #engine;
  #devices;
  #attention;
  #nameOf;
  #call;
  #onShown;
  #stage;
  #screen = byId("screen-call");
  /** Whom the call is with, as far as is known. */
  #others = [];
  /** Whether there ever were more than two. */
  #group = false;
  #mediaType = MediaType.VIDEO;
  #role = null;
  #ended = null;

  constructor({ engine, devices, ringer, nameOf, call, onShown }) {
    this.#engine = engine;
    this.#devices = devices;
    this.#nameOf = nameOf;
    this.#call = call;
    this.#onShown = onShown;
    this.#attention = new Attention(ringer, () => this.#render());
    this.#stage = new Stage({ engine, nameOf, onChange: () => this.#render() });
    this.#listen();
    this.#tellOfOthers();
    this.#bind();
  }

  get shown() {
    return !this.#screen.hidden;
  }

  /** For tests and integrators. */
  summary() {
    const reconnecting = this.#others.some((userId) => this.#stage.reconnecting(userId));
    return { phase: this.#screen.dataset.phase ?? null, reconnecting, ended: this.#ended, stage: this.#stage.summary() };
  }

  /** Place a call; rejects with a CallError when it is refused. */
  async start(userIdList, mediaType) {
    await this.#attempt(async () => {
      const { refused = [] } = await this.#engine.calls({ userIdList, mediaType });
      for (const { userId, ...why } of refused) notifyRefused(this.#nameOf(userId), why);
    });
  }

  /** Enter a running call; rejects with a CallError when that is refused. */
  async join(callId) {
    await this.#attempt(() => this.#engine.join(callId));
  }

  /** The signalling connection came or went. */
  connectionChanged() {
    this.#render();
  }

  /** Back to where the person came from. */
  close() {
    this.#attention.quiet();
    this.#attention.stopClock();
    this.#stage.clear();
    delete this.#screen.dataset.phase;
    if (this.shown) this.#onShown(false);
  }

  async #attempt(action) {
    try {
      await action();
    } catch (error) {
      if (this.#screen.dataset.phase === "outgoing") this.close();
      throw error;
    }
  }

  #bind() {
    const engine = this.#engine;
    const ask = (id, action) =>
      byId(id).addEventListener("click", () => action().catch((error) => this.#refused(error)));
    ask("answer-video", () => engine.accept({ video: true }));
    ask("answer-audio", () => engine.accept({ video: false }));
    ask("reject", () => engine.reject());
    ask("hangup", () => engine.hangup());
    ask("mute", () => engine.setMicrophone(!engine.microphoneOn));
    ask("camera", () => engine.setCamera(!engine.cameraOn));
    ask("open-door", () => this.#openDoor());
    byId("ended-close").addEventListener("click", () => this.close());
    byId("call-again").addEventListener("click", () => this.#call(this.#others, this.#mediaType));
    byId("play-remote").addEventListener("click", () => this.#stage.play());
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.shown || document.querySelector("dialog[open]")) return;
      if (this.#screen.dataset.phase === "ended") this.close();
      else this.#stage.unfocus();
    });
  }

  #listen() {
    const engine = this.#engine;
    engine.on("onStateChange", ({ state }) => this.#follow(state));
    engine.on("onCallBegin", () => this.#attention.startClock());
    engine.on("onCallEnd", (data) => this.#over(data));
    engine.on("onCallNotConnected", (data) => this.#over(data));
    engine.on("onCallMediaTypeChanged", () => {
      this.#mediaType = engine.state.mediaType;
      notify(texts.nowAudio);
    });
  }

  /** Among more than two, what the others do is told in passing; with one the screen itself says it. */
  #tellOfOthers() {
    const tell = (event, text) =>
      this.#engine.on(event, ({ userId }) => {
        if (this.#group && this.#engine.state.status !== CallStatus.IDLE) notify(text(this.#nameOf(userId)));
      });
    tell("onUserLineBusy", texts.userBusy);
    tell("onUserReject", texts.userDeclined);
    tell("onUserNoResponse", texts.userNoAnswer);
    tell("onUserLeave", texts.userLeft);
  }

  #follow(state) {
    const phase = PHASES[state.status];
    if (phase && phase !== this.#screen.dataset.phase) this.#enter(phase, state);
    if (phase === "connected") this.#meet(state);
    if (state.leaving) {
      this.#attention.quiet();
      // Hanging up takes effect here at once; before the call connected there is nothing left to show.
      if (phase !== "connected" && this.#screen.dataset.phase !== "ended") this.close();
    }
    this.#render();
  }

  #enter(phase, state) {
    if (state.leaving) return;
    if (phase !== "connected") {
      const called = state.userIdList.filter((userId) => userId !== this.#engine.userId);
      // Who was invited into a running call finds the one who invited among those who were called.
      this.#others = phase === "outgoing" ? called : [...new Set([state.callerId, ...called])];
      this.#group = this.#others.length > 1;
      this.#mediaType = state.mediaType;
      this.#role = state.role;
      this.#ended = null;
    } else if (state.role === "joiner") this.#mediaType = state.mediaType;
    this.#screen.dataset.phase = phase;
    this.#onShown(true);
    this.#attention.quiet();
    if (phase === "incoming") this.#attention.attract(this.#nameOf(state.callerId));
    if (phase === "outgoing" && state.role === "caller") this.#attention.play("outgoing");
    this.#engine.setSpeaker(this.#devices.settings.speakerId).catch(() => {});
    // The screen, not a button: a key meant for what was typed before must not answer or hang up.
    this.#screen.focus({ preventScroll: true });
  }

  /** Who is in the call, or rung into it, belongs to it from then on. */
  #meet(state) {
    const present = [...Object.keys(state.members), ...Object.keys(state.inviting)];
    if (present.length > 1) this.#group = true;
    if (state.role === "joiner" || present.some((userId) => !this.#others.includes(userId))) {
      this.#others = [...new Set([...this.#others, ...present])];
    }
  }

  #over(data) {
    const connected = this.#attention.seconds !== null;
    const seconds = data.totalTime ?? this.#attention.seconds ?? 0;
    const mine = data.userId === this.#engine.userId || (data.local === true && this.#engine.connectionState !== "closed");
    const name = this.#nameOf(this.#group && data.userId ? data.userId : (this.#others[0] ?? ""));
    const text = endText({ reason: data.reason, role: this.#role, name, mine, group: this.#group });
    this.#attention.quiet();
    this.#attention.stopClock();
    this.#ended = { callId: data.callId, reason: data.reason, userId: data.userId, seconds: connected ? seconds : null, text };
    if (!this.shown) return;
    const cancelled = data.reason === CallEndReason.CANCELED && mine;
    const declined = this.#role === "callee" && !connected;
    if (cancelled || declined) {
      this.close();
      if (!mine || ELSEWHERE.has(data.reason)) notify(text);
      return;
    }
    this.#screen.dataset.phase = "ended";
    this.#stage.clear();
    this.#attention.play("ended");
    this.#render();
    byId("ended-close").focus({ preventScroll: true });
  }

  /** Of the members, the one whose device opens a door. */
  #doorman() {
    return Object.entries(this.#engine.state.members).find(([, { commands }]) => commands.includes(DOOR))?.[0];
  }

  async #openDoor() {
    const button = byId("open-door");
    button.disabled = true;
    try {
      await this.#engine.command(this.#doorman(), DOOR);
      notify(texts.doorOpened);
    } finally {
      button.disabled = false;
    }
  }

  #refused(error) {
    notify(errorText(error), "error");
    this.#render();
  }

  /** The one other person of a call between two, undefined in any other. */
  get #peerId() {
    const { members } = this.#engine.state;
    return this.#stage.layout === "solo" ? (Object.keys(members)[0] ?? this.#others[0]) : undefined;
  }

  #render() {
    const { phase } = this.#screen.dataset;
    if (!phase) return;
    const { state } = this.#engine;
    this.#stage.render();
    const { layout } = this.#stage;
    const peerId = this.#peerId;
    const peer = state.members[peerId];
    const picture = phase === "connected" && layout === "solo" && this.#stage.hasPicture(peerId);
    this.#screen.dataset.picture = String(picture);
    this.#screen.dataset.layout = phase === "connected" ? layout : "solo";
    this.#renderPerson(phase, state, peer, picture);
    this.#renderChip(phase, peerId, peer);
    this.#renderControls(phase, state);
    byId("play-remote").hidden = phase !== "connected" || !this.#stage.blocked;
  }

  #renderPerson(phase, state, peer, picture) {
    const names = this.#others.map((userId) => this.#nameOf(userId));
    const caller = phase === "incoming";
    const title = caller || names.length === 1 ? (names[0] ?? "") : texts.names(names);
    byId("call-name").textContent = title || texts.joining;
    const present = Object.keys(state.members).map((userId) => this.#nameOf(userId));
    byId("call-title").textContent = present.length ? texts.names(present) : title;
    byId("call-status").textContent = this.#status(phase, state, peer, picture);
    fillAvatars(byId("call-avatars"), caller ? this.#others.slice(0, 1) : this.#others, this.#nameOf);
    const also = byId("call-also");
    also.textContent = texts.alsoCalled(names.slice(1));
    also.hidden = !caller || names.length < 2;
    const hint = byId("call-hint");
    hint.textContent = texts.ringingSilent;
    hint.hidden = !caller || this.#attention.audible;
    byId("call-timer").hidden = phase !== "connected";
  }

  #status(phase, state, peer, picture) {
    if (phase === "incoming") {
      if (state.answering) return texts.answering;
      return this.#mediaType === MediaType.VIDEO ? texts.incomingVideo : texts.incomingAudio;
    }
    if (phase === "outgoing") {
      if (state.role === "joiner") return texts.joiningStatus;
      return state.callId ? texts.ringing : texts.dialling;
    }
    if (phase === "ended") {
      const { text, seconds } = this.#ended;
      return seconds === null ? text : `${text} · ${texts.duration(duration(seconds))}`;
    }
    if (picture || this.#stage.layout !== "solo") return "";
    if (peer?.privacy) return texts.peerPrivacy;
    if (peer?.video || !this.#stage.received(this.#peerId)) return texts.connectingMedia;
    return this.#mediaType === MediaType.VIDEO ? texts.peerCameraOff : texts.audioOnly;
  }

  #renderChip(phase, peerId, peer) {
    const chip = byId("call-chip");
    const connected = phase === "connected";
    let text = "";
    if (phase !== "ended" && this.#engine.connectionState === "reconnecting") text = texts.reconnectingSelf;
    else if (connected && this.#stage.reconnecting(this.#engine.userId)) text = texts.reconnectingSelf;
    else if (connected && this.#stage.reconnecting(peerId)) text = texts.reconnectingPeer;
    else if (connected && peer?.privacy) text = texts.peerPrivacy;
    else if (connected && peer && !peer.audio) text = texts.peerMuted;
    if (chip.textContent !== text) chip.textContent = text;
    chip.hidden = !text;
  }

  #renderControls(phase, state) {
    const { microphoneOn, cameraOn } = this.#engine;
    face(byId("mute"), microphoneOn ? texts.mute : texts.unmute, microphoneOn ? "mic" : "mic-off");
    byId("mute").setAttribute("aria-pressed", String(!microphoneOn));
    face(byId("camera"), cameraOn ? texts.cameraOff : texts.cameraOn, cameraOn ? "video" : "video-off");
    byId("camera").setAttribute("aria-pressed", String(!cameraOn));
    const video = this.#mediaType === MediaType.VIDEO;
    byId("answer-video").hidden = !video;
    byId("answer-audio").querySelector("span").textContent = video ? texts.answerAudio : texts.answerCall;
    for (const id of ["answer-video", "answer-audio"]) byId(id).disabled = state.answering;
    byId("hangup").querySelector("span").textContent = phase === "outgoing" ? texts.cancel : texts.hangUp;
    byId("open-door").hidden = phase !== "connected" || !this.#doorman();
    byId("people").hidden = phase !== "connected";
    byId("call-again").hidden = this.#others.length === 0;
  }
}
