// SPDX-License-Identifier: Apache-2.0
/**
 * What this client sends and receives in the call of the moment, joined to the signalling.
 *
 * Dispatches (CustomEvent): `event` {name, data}, an event of the engine's own; `failure` {error}.
 */

import { Announcer } from "./announcer.js";
import { CallError, ErrorCode } from "./errors.js";
import { LocalMedia } from "./local.js";
import { CallMedia } from "./media.js";
import { RemoteViews } from "./views.js";

export class Conversation extends EventTarget {
  #signalling;
  #state;
  #videoCodecs;
  #local;
  #announcer;
  #media = null;
  #views = new RemoteViews();
  #ownStream = null;

  /**
   * @param options.signalling {Signalling}
   * @param options.source where tracks come from, see local.js
   * @param options.videoCodecs {string[]}
   * @param options.state {() => object} the call's present state (state.js)
   */
  constructor({ signalling, source, videoCodecs, state }) {
    super();
    this.#signalling = signalling;
    this.#state = state;
    this.#videoCodecs = videoCodecs;
    this.#local = new LocalMedia(source);
    this.#announcer = new Announcer(signalling, state);
    const listen = (target, name, handler) => target.addEventListener(name, ({ detail }) => handler(detail));
    listen(signalling, "caughtUp", () => this.#media?.serviceIsBack());
    listen(signalling, "media", ({ sender, media }) => {
      if (media.callId === this.#state().callId) this.#media?.receive(sender, media);
    });
    listen(this.#announcer, "failure", (detail) => this.#tell("failure", detail));
    listen(this.#local, "failure", ({ error }) => this.#tell("failure", { error }));
    listen(this.#local, "track", ({ kind, track }) => {
      this.#media?.replaceTrack(kind, track);
      this.#tellLocal();
    });
    listen(this.#local, "availability", (available) => {
      this.#announcer.announce(available);
      this.#tellLocal();
    });
  }

  get running() {
    return this.#media !== null;
  }

  get microphoneOn() {
    return this.#local.microphoneOn;
  }

  get cameraOn() {
    return this.#local.cameraOn;
  }

  /** @param self {{userId, sessionId}} @param video {boolean} whether the camera opens too */
  open(self, video) {
    this.close();
    const media = new CallMedia({
      self,
      local: this.#local,
      videoCodecs: this.#videoCodecs,
      send: (to, message) => this.#send(to, message),
    });
    this.#media = media;
    const listen = (name, handler) => media.addEventListener(name, ({ detail }) => handler(detail));
    listen("stream", ({ userId, stream }) => {
      this.#views.stream(userId, stream);
      this.#event("onRemoteStream", { userId, stream });
    });
    listen("reconnecting", (data) => this.#event("onUserReconnecting", data));
    listen("levels", (levels) => this.#tellLevels(levels));
    listen("trouble", () => this.#tell("failure", { error: new CallError(ErrorCode.MEDIA_FAILED) }));
    listen("view", ({ userId, layer }) => {
      // Until it is told otherwise the media server sends layer h; a member that is gone needs none.
      this.#ask("view", { userId, layer }).catch(() => {});
    });
    listen("renegotiate", ({ epoch, reason }) => {
      this.#ask("renegotiate", { epoch, reason }).catch(() => media.renegotiateFailed(epoch));
    });
    // Failures are reported by the "failure" event; the call goes on without the device.
    this.#local.setMicrophone(true).catch(() => {});
    if (video) this.#local.setCamera(true).catch(() => {});
  }

  /** The call is connected: say what is sent. */
  begin() {
    this.#announcer.atBegin({ audio: this.microphoneOn, video: this.cameraOn });
  }

  close() {
    this.#media?.close();
    this.#media = null;
    this.#views.clear();
    this.#local.reset();
  }

  plan(data) {
    this.#media?.plan(data);
  }

  /** The members as the state has them changed. */
  follow(before, members) {
    for (const [userId, member] of Object.entries(members)) {
      if (before[userId] !== member) this.#media?.setAvailability(userId, member);
    }
  }

  userLeft(userId) {
    this.#media?.userLeft(userId);
  }

  setMicrophone(on) {
    return this.#local.setMicrophone(on);
  }

  setCamera(on) {
    return this.#local.setCamera(on);
  }

  reopen(kinds, how) {
    return this.#local.reopen(kinds, how);
  }

  setSpeaker(speakerId) {
    return this.#views.setSpeaker(speakerId);
  }

  startView(userId, view) {
    this.#views.start(userId, view);
  }

  setLayer(userId, layer) {
    this.#media?.setLayer(userId, layer);
  }

  connection(userId) {
    return this.#media?.connection(userId);
  }

  #ask(type, fields) {
    return this.#signalling.request(type, { callId: this.#state().callId, ...fields }, { resend: true });
  }

  #send(to, message) {
    const media = { callId: this.#state().callId, ...message };
    // A peer that is gone needs no media; one whose media stays away is offered it anew.
    this.#signalling.request("media", { to, media }, { resend: true }).catch(() => {});
  }

  #tellLocal() {
    const track = this.#local.track("camera");
    if (this.#ownStream?.getTracks()[0] !== track) this.#ownStream = track ? new MediaStream([track]) : null;
    const { microphoneOn: microphone, cameraOn: camera } = this;
    this.#event("onLocalMedia", { microphone, camera, stream: this.#ownStream });
  }

  #tellLevels({ volumes, qualities }) {
    const { callId } = this.#state();
    this.#event("onUserVoiceVolumeChanged", { callId, volumeMap: volumes });
    if (!qualities) return;
    const networkQualityList = Object.entries(qualities).map(([userId, quality]) => ({ userId, quality }));
    this.#event("onUserNetworkQualityChanged", { callId, networkQualityList });
  }

  #event(name, data) {
    this.#tell("event", { name, data });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
