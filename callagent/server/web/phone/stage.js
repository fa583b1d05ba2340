// SPDX-License-Identifier: GPL-3.0-or-later
/** The people of a call as tiles, those who are connected, those who are being rung and oneself. */

import { NetworkQuality } from "../sdk/index.js";
import { byId } from "./dom.js";
import { focus, grid, layers, layoutOf } from "./layout.js";
import { texts } from "./messages.js";
import { Tile } from "./tile.js";

export class Stage {
  #engine;
  #nameOf;
  #onChange;
  #element = byId("stage");
  #self;
  #tiles = new Map();
  #reconnecting = new Set();
  #qualities = {};
  #focused = null;
  #layout = "solo";
  #blocked = false;
  #running = false;

  /** @param onChange {() => void} something to be shown elsewhere has changed */
  constructor({ engine, nameOf, onChange }) {
    this.#engine = engine;
    this.#nameOf = nameOf;
    this.#onChange = onChange;
    this.#self = new Tile("", { self: true, onChange, onZoom: () => this.#zoom(this.#engine.userId) });
    this.#element.append(this.#self.element);
    new ResizeObserver(() => this.#arrange()).observe(this.#element);
    document.addEventListener("visibilitychange", () => this.#chooseLayers());
    engine.on("onRemoteStream", ({ userId, stream }) => stream && this.#received(userId));
    engine.on("onLocalMedia", ({ stream }) => {
      if (this.#self.video.srcObject !== stream) this.#self.video.srcObject = stream;
      onChange();
    });
    engine.on("onUserReconnecting", ({ userId, reconnecting }) => {
      if (reconnecting) this.#reconnecting.add(userId);
      else this.#reconnecting.delete(userId);
      onChange();
    });
    engine.on("onUserVoiceVolumeChanged", ({ volumeMap }) => this.#hear(volumeMap));
    engine.on("onUserNetworkQualityChanged", ({ networkQualityList }) => {
      for (const { userId, quality } of networkQualityList) this.#qualities[userId] = quality;
      onChange();
    });
  }

  /** "solo", "grid" or "focus". */
  get layout() {
    return this.#layout;
  }

  /** Whether the browser wants a touch before it plays sound. */
  get blocked() {
    return this.#blocked;
  }

  /** Whether that user's media is being made anew; of oneself, the way to the media server. */
  reconnecting(userId) {
    return this.#reconnecting.has(userId);
  }

  /** Whether there is a picture of that user to see. */
  hasPicture(userId) {
    const tile = this.#tiles.get(userId);
    return Boolean(this.#engine.state.members[userId]?.video && tile?.hasPicture);
  }

  /** Whether anything of that user was received. */
  received(userId) {
    return Boolean(this.#tiles.get(userId)?.video.srcObject);
  }

  /** For tests and integrators. */
  summary() {
    return { layout: this.#layout, focused: this.#focused, layers: Object.fromEntries(this.#layers()) };
  }

  /** Everybody from the call's state. */
  render() {
    const { state, userId: own, microphoneOn, cameraOn } = this.#engine;
    const connected = Object.keys(state.members);
    const ringing = state.status === "connected" ? Object.keys(state.inviting) : [];
    this.#running = state.status === "connected" && !state.leaving;
    this.#keepOnly([...connected, ...ringing]);
    for (const userId of [...connected, ...ringing]) this.#tile(userId);
    if (!this.#tiles.has(this.#focused) && this.#focused !== own) this.#focused = null;
    this.#layout = layoutOf(this.#tiles.size, this.#focused);
    if (this.#layout === "solo") this.#focused = null;
    this.#element.dataset.layout = this.#layout;
    for (const [userId, tile] of this.#tiles) this.#renderOther(userId, tile, state);
    this.#self.video.hidden = !this.#self.video.srcObject;
    this.#self.render({
      userId: own ?? "",
      name: texts.you,
      audio: microphoneOn,
      picture: cameraOn && Boolean(this.#self.video.srcObject),
      note: "",
      quality: this.#qualities[own] ?? NetworkQuality.UNKNOWN,
      large: this.#focused === own,
      choosable: this.#layout !== "solo",
    });
    this.#arrange();
    this.#chooseLayers();
  }

  /** Back to everybody alike. @returns {boolean} whether one was large */
  unfocus() {
    const was = this.#focused !== null;
    this.#focused = null;
    if (was) this.#onChange();
    return was;
  }

  /** Try to play again, after a touch. */
  play() {
    this.#blocked = false;
    for (const tile of this.#tiles.values()) this.#start(tile);
    this.#onChange();
  }

  /** The call is over. */
  clear() {
    this.#keepOnly([]);
    this.#self.video.srcObject = null;
    this.#reconnecting.clear();
    this.#qualities = {};
    this.#focused = null;
    this.#blocked = false;
  }

  #renderOther(userId, tile, state) {
    const member = state.members[userId];
    const ringing = !member;
    const picture = this.hasPicture(userId);
    const sends = member?.audio || member?.video;
    tile.render({
      userId,
      name: this.#nameOf(userId),
      audio: member?.audio ?? false,
      picture,
      note: this.#note(userId, member, picture),
      ringing,
      quality: sends ? (this.#qualities[userId] ?? NetworkQuality.UNKNOWN) : NetworkQuality.UNKNOWN,
      large: this.#focused === userId,
      choosable: this.#layout !== "solo" && !ringing,
    });
  }

  #note(userId, member, picture) {
    if (!member) return texts.ringing;
    if (this.#reconnecting.has(userId)) return texts.reconnectingPeer;
    if (member.privacy) return texts.peerPrivacyShort;
    return member.video && !picture ? texts.connectingShort : "";
  }

  #tile(userId) {
    const known = this.#tiles.get(userId);
    if (known) return known;
    const tile = new Tile(userId, { onChange: this.#onChange, onZoom: () => this.#zoom(userId) });
    this.#tiles.set(userId, tile);
    this.#element.insertBefore(tile.element, this.#self.element);
    return tile;
  }

  #keepOnly(userIds) {
    for (const [userId, tile] of this.#tiles) {
      if (userIds.includes(userId)) continue;
      tile.remove();
      this.#tiles.delete(userId);
      this.#reconnecting.delete(userId);
      delete this.#qualities[userId];
    }
  }

  /** Something of that user arrives for the first time. */
  #received(userId) {
    const tile = this.#tile(userId);
    this.#engine.startRemoteView(userId, tile.video, this.#layers().get(userId));
    this.#start(tile);
    this.#onChange();
  }

  #start(tile) {
    tile.video.play().catch((error) => {
      if (error.name !== "NotAllowedError") return;
      this.#blocked = true;
      this.#onChange();
    });
  }

  #zoom(userId) {
    this.#focused = this.#focused === userId ? null : userId;
    this.#onChange();
  }

  #hear(volumes) {
    for (const [userId, tile] of this.#tiles) tile.hear(volumes[userId] ?? 0);
    this.#self.hear(this.#engine.microphoneOn ? (volumes[this.#engine.userId] ?? 0) : 0);
  }

  #arrange() {
    const tiles = [...this.#tiles.values(), this.#self];
    if (this.#layout === "solo") {
      for (const tile of tiles) tile.place(null);
      return;
    }
    const { clientWidth: width, clientHeight: height } = this.#element;
    if (!width || !height) return;
    const large = this.#focused === this.#engine.userId ? this.#self : this.#tiles.get(this.#focused);
    const ordered = large ? [large, ...tiles.filter((tile) => tile !== large)] : tiles;
    const places = large ? focus(ordered.length, width, height) : grid(ordered.length, width, height);
    for (const [index, tile] of ordered.entries()) tile.place(places[index]);
  }

  #layers() {
    const { members } = this.#engine.state;
    const view = { layout: this.#layout, focused: this.#focused, shown: !document.hidden };
    return layers(Object.keys(members), view);
  }

  #chooseLayers() {
    if (!this.#running) return;
    for (const [userId, layer] of this.#layers()) this.#engine.setRemoteLayer(userId, layer);
  }
}
