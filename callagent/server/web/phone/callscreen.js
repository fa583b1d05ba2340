// SPDX-License-Identifier: GPL-3.0-or-later
/** The screen of a call: incoming, outgoing, connected and ended. */

import { CallEndReason, CallStatus, MediaType } from "../sdk/index.js";
import { byId, face, fillAvatar } from "./dom.js";
import { duration } from "./format.js";
import { endText, errorText, texts } from "./messages.js";
import { notify } from "./notices.js";

const PHASES = {
  [CallStatus.CALLING]: "outgoing",
  [CallStatus.RINGING]: "incoming",
  [CallStatus.CONNECTED]: "connected",
};

export class CallScreen {
  #engine;
  #devices;
  #ringer;
  #nameOf;
  #call;
  #onShown;
  #screen = byId("screen-call");
  #remote = byId("remote-video");
  #local = byId("local-video");
  #other = null;
  #mediaType = MediaType.VIDEO;
  #role = null;
  #beganAt = null;
  #clock = null;
  #flash = null;
  #wakeLock = null;
  #reconnecting = false;
  #pictureSeen = false;
  #ended = null;

  constructor({ engine, devices, ringer, nameOf, call, onShown }) {
    this.#engine = engine;
    this.#devices = devices;
    this.#ringer = ringer;
    this.#nameOf = nameOf;
    this.#call = call;
    this.#onShown = onShown;
    this.#listen();
    this.#bind();
  }

  get shown() {
    return !this.#screen.hidden;
  }

  /** For tests and integrators. */
  summary() {
    return { phase: this.#screen.dataset.phase ?? null, reconnecting: this.#reconnecting, ended: this.#ended };
  }

  /** Place a call; rejects with a CallError when it is refused. */
  async start(userId, mediaType) {
    try {
      await this.#engine.calls({ userIdList: [userId], mediaType });
    } catch (error) {
      if (this.#screen.dataset.phase === "outgoing") this.close();
      throw error;
    }
  }

  /** The signalling connection came or went. */
  connectionChanged() {
    this.#render();
  }

  /** Send the sound of the others to that speaker. */
  async setSpeaker(deviceId) {
    if (this.#remote.setSinkId) await this.#remote.setSinkId(deviceId);
  }

  /** Back to where the person came from. */
  close() {
    this.#stopAttention();
    this.#ringer.stop();
    this.#clearClock();
    this.#remote.srcObject = this.#local.srcObject = null;
    delete this.#screen.dataset.phase;
    if (this.shown) this.#onShown(false);
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
    byId("call-again").addEventListener("click", () => this.#call(this.#other, this.#mediaType));
    byId("play-remote").addEventListener("click", () => this.#play());
    this.#remote.addEventListener("resize", () => this.#render());
    this.#remote.addEventListener("loadeddata", () => {
      this.#pictureSeen = true;
      this.#render();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#screen.dataset.phase === "ended") this.close();
    });
  }

  #listen() {
    const engine = this.#engine;
    engine.on("onStateChange", ({ state }) => this.#follow(state));
    engine.on("onCallBegin", () => this.#began());
    engine.on("onCallEnd", (data) => this.#over(data));
    engine.on("onCallNotConnected", (data) => this.#over(data));
    engine.on("onRemoteStream", ({ stream }) => this.#showRemote(stream));
    engine.on("onLocalMedia", ({ stream }) => {
      this.#local.srcObject = stream;
      this.#render();
    });
    engine.on("onUserReconnecting", ({ reconnecting }) => {
      this.#reconnecting = reconnecting;
      this.#render();
    });
  }

  #follow(state) {
    const phase = PHASES[state.status];
    if (phase && phase !== this.#screen.dataset.phase) this.#enter(phase, state);
    if (state.leaving) {
      this.#ringer.stop();
      this.#stopAttention();
      // Hanging up takes effect here at once; before the call connected there is nothing left to show.
      if (phase !== "connected" && this.#screen.dataset.phase !== "ended") this.close();
    }
    this.#render();
  }

  #enter(phase, state) {
    if (state.leaving) return;
    if (phase !== "connected") {
      this.#other = phase === "outgoing" ? state.userIdList[0] : state.callerId;
      this.#mediaType = state.mediaType;
      this.#role = state.role;
      this.#ended = null;
      this.#reconnecting = this.#pictureSeen = false;
      this.#beganAt = null;
    }
    this.#screen.dataset.phase = phase;
    fillAvatar(byId("call-avatar"), this.#other, this.#nameOf(this.#other));
    this.#onShown(true);
    this.#stopAttention();
    this.#ringer.stop();
    if (phase === "incoming") this.#attract();
    if (phase === "outgoing") this.#ringer.play("outgoing");
    this.setSpeaker(this.#devices.settings.speakerId).catch(() => {});
    // The screen, not a button: a key meant for what was typed before must not answer or hang up.
    this.#screen.focus({ preventScroll: true });
  }

  #began() {
    this.#beganAt = performance.now();
    this.#clock = setInterval(() => this.#tick(), 500);
    this.#tick();
    navigator.wakeLock?.request("screen").then(
      (lock) => (this.#beganAt === null ? lock.release() : (this.#wakeLock = lock)),
      () => {},
    );
  }

  #over(data) {
    const connected = this.#beganAt !== null;
    const seconds = data.totalTime ?? (connected ? (performance.now() - this.#beganAt) / 1000 : 0);
    const mine = data.userId === this.#engine.userId || (data.local === true && this.#engine.connectionState !== "closed");
    const end = { reason: data.reason, role: this.#role, name: this.#nameOf(this.#other), mine };
    const text = endText(end);
    this.#clearClock();
    this.#stopAttention();
    this.#ringer.stop();
    this.#ended = { callId: data.callId, reason: data.reason, userId: data.userId, seconds: connected ? seconds : null, text };
    if (!this.shown) return;
    const cancelled = data.reason === CallEndReason.CANCELED && mine;
    const declined = this.#role === "callee" && !connected;
    if (cancelled || declined) {
      this.close();
      if (!mine) notify(text);
      return;
    }
    this.#screen.dataset.phase = "ended";
    this.#remote.srcObject = null;
    this.#ringer.play("ended");
    this.#render();
    byId("ended-close").focus({ preventScroll: true });
  }

  async #openDoor() {
    const button = byId("open-door");
    button.disabled = true;
    try {
      await this.#engine.command(this.#other, "openDoor");
      notify(texts.doorOpened);
    } finally {
      button.disabled = false;
    }
  }

  #refused(error) {
    notify(errorText(error), "error");
    this.#render();
  }

  #showRemote(stream) {
    this.#remote.srcObject = stream;
    if (stream) this.#play();
    this.#render();
  }

  #play() {
    this.#remote.play().then(
      () => this.#needGesture(false),
      (error) => this.#needGesture(error.name === "NotAllowedError"),
    );
  }

  #needGesture(needed) {
    byId("play-remote").hidden = !needed;
  }

  #attract() {
    this.#ringer.play("incoming");
    const usual = texts.appName;
    let on = false;
    const flip = () => {
      on = !on;
      document.title = on ? texts.incomingTitle(this.#nameOf(this.#other)) : usual;
      this.#render();
    };
    flip();
    this.#flash = setInterval(flip, 1000);
  }

  #stopAttention() {
    clearInterval(this.#flash);
    this.#flash = null;
    document.title = texts.appName;
  }

  #clearClock() {
    clearInterval(this.#clock);
    this.#clock = this.#beganAt = null;
    this.#wakeLock?.release().catch(() => {});
    this.#wakeLock = null;
  }

  #tick() {
    byId("call-timer").textContent = duration(Math.floor((performance.now() - this.#beganAt) / 1000));
  }

  #render() {
    const { phase } = this.#screen.dataset;
    if (!phase || !this.#other) return;
    const { state, microphoneOn, cameraOn } = this.#engine;
    const peer = state.members[this.#other];
    const name = this.#nameOf(this.#other);
    const picture = phase === "connected" && Boolean(peer?.video) && this.#pictureSeen && this.#remote.videoWidth > 0;
    this.#screen.dataset.picture = String(picture);
    byId("call-title").textContent = byId("call-name").textContent = name;
    byId("call-status").textContent = this.#status(phase, state, peer, picture);
    this.#renderChip(phase, peer);
    this.#renderHint(phase);
    this.#local.hidden = phase === "ended" || !this.#local.srcObject;
    face(byId("mute"), microphoneOn ? texts.mute : texts.unmute, microphoneOn ? "mic" : "mic-off");
    byId("mute").setAttribute("aria-pressed", String(!microphoneOn));
    face(byId("camera"), cameraOn ? texts.cameraOff : texts.cameraOn, cameraOn ? "video" : "video-off");
    byId("camera").setAttribute("aria-pressed", String(!cameraOn));
    const video = this.#mediaType === MediaType.VIDEO;
    byId("answer-video").hidden = !video;
    byId("answer-audio").querySelector("span").textContent = video ? texts.answerAudio : texts.answerCall;
    for (const id of ["answer-video", "answer-audio"]) byId(id).disabled = state.answering;
    byId("hangup").querySelector("span").textContent = phase === "outgoing" ? texts.cancel : texts.hangUp;
    byId("open-door").hidden = phase !== "connected" || !peer?.commands.includes("openDoor");
    byId("call-timer").hidden = phase !== "connected";
    if (phase !== "connected") this.#needGesture(false);
  }

  #status(phase, state, peer, picture) {
    if (phase === "incoming") {
      if (state.answering) return texts.answering;
      return this.#mediaType === MediaType.VIDEO ? texts.incomingVideo : texts.incomingAudio;
    }
    if (phase === "outgoing") return state.callId ? texts.ringing : texts.dialling;
    if (phase === "ended") {
      const { text, seconds } = this.#ended;
      return seconds === null ? text : `${text} · ${texts.duration(duration(seconds))}`;
    }
    if (picture) return "";
    if (peer?.privacy) return texts.peerPrivacy;
    if (peer?.video || !this.#remote.srcObject) return texts.connectingMedia;
    return this.#mediaType === MediaType.VIDEO ? texts.peerCameraOff : texts.audioOnly;
  }

  #renderChip(phase, peer) {
    const chip = byId("call-chip");
    let text = "";
    if (phase !== "ended" && this.#engine.connectionState === "reconnecting") text = texts.reconnectingSelf;
    else if (phase === "connected" && this.#reconnecting) text = texts.reconnectingPeer;
    else if (phase === "connected" && peer?.privacy) text = texts.peerPrivacy;
    else if (phase === "connected" && peer && !peer.audio) text = texts.peerMuted;
    if (chip.textContent !== text) chip.textContent = text;
    chip.hidden = !text;
  }

  #renderHint(phase) {
    const hint = byId("call-hint");
    hint.textContent = texts.ringingSilent;
    hint.hidden = phase !== "incoming" || this.#ringer.audible;
  }
}
