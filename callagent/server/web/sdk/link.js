// SPDX-License-Identifier: Apache-2.0
/**
 * One RTCPeerConnection of one epoch, in one of three flows (docs/protocol.md, Media):
 *
 * - "both": to another session; audio (first m-line) and video (second) in both directions, the lower session
 *   id offers;
 * - "send": to the media server; this side offers audio, video layer h and video layer l;
 * - "receive": from the media server, one other user's media; the server offers.
 *
 * What flows is decided by replaceTrack, so nothing is negotiated twice. Candidates trickle both ways and wait
 * until the description they belong to is set. A link that failed is never mended: another one with another
 * `attempt` takes its place.
 *
 * Dispatches: `state` (connectionState changed), `track` (there is another remote track), `media` (the first
 * packet of a remote track arrived), `error` {error}.
 */

import { encoding } from "./layers.js";
import { vitals } from "./vitals.js";

const SEATS = {
  both: [
    { source: "microphone", layer: "h" },
    { source: "camera", layer: "h" },
  ],
  send: [
    { source: "microphone", layer: "h" },
    { source: "camera", layer: "h" },
    { source: "camera", layer: "l" },
  ],
  receive: [],
};
const KIND = { microphone: "audio", camera: "video" };

export class Link extends EventTarget {
  /** The remote tracks, null until they were described. */
  audio = null;
  video = null;
  #pc;
  #options;
  #queue = Promise.resolve();
  #remoteCandidates = [];
  #localCandidates = [];
  #described = false;
  #offerSdp = null;
  #seats = [];

  /**
   * @param options.peer {{userId, sessionId, flow}} the other end
   * @param options.epoch {number}
   * @param options.attempt {string} "" for the first one
   * @param options.offers {boolean} whether this side makes the offer
   * @param options.ice {{iceServers, iceTransportPolicy}} as in RTCConfiguration
   * @param options.videoCodecs {string[]} in order of preference, such as ["H264", "VP8"]
   * @param options.owner {string} this side's user id
   * @param options.track {(source) => MediaStreamTrack|null} what to send now
   * @param options.send {(message) => void} passes a media message on
   */
  constructor(options) {
    super();
    this.#options = options;
    this.#pc = new RTCPeerConnection({ ...options.ice, bundlePolicy: "max-bundle" });
    this.#pc.onicecandidate = ({ candidate }) => this.#trickle(candidate);
    this.#pc.onconnectionstatechange = () => this.dispatchEvent(new Event("state"));
    this.#pc.ontrack = ({ track }) => this.#receive(track);
    if (options.offers) this.#enqueue(() => this.#offer());
    else if (this.flow === "receive" && this.attempt) this.#send({ kind: "restart" });
  }

  get peer() {
    return this.#options.peer;
  }

  get flow() {
    return this.#options.peer.flow;
  }

  get epoch() {
    return this.#options.epoch;
  }

  get attempt() {
    return this.#options.attempt;
  }

  get connectionState() {
    return this.#pc.connectionState;
  }

  /** An offer, answer or candidate of this epoch and attempt from the other end. */
  handle(message) {
    this.#enqueue(() => this.#handle(message));
  }

  /** Send another track of that source, or nothing. */
  replaceTrack(source, track) {
    this.#enqueue(async () => {
      for (const seat of this.#seats) if (seat.source === source) await this.#feed(seat, track);
    });
  }

  /** How it is doing; see vitals.js. */
  async vitals() {
    return vitals(await this.#pc.getStats());
  }

  /** The browser's own statistics (W3C webrtc-stats). */
  getStats() {
    return this.#pc.getStats();
  }

  close() {
    this.#pc.onicecandidate = this.#pc.onconnectionstatechange = this.#pc.ontrack = null;
    this.#pc.close();
  }

  /** One step at a time: the description calls are asynchronous and must not overtake each other. */
  #enqueue(step) {
    this.#queue = this.#queue
      .then(() => (this.#pc.signalingState === "closed" ? undefined : step()))
      .catch((error) => this.#fail(error));
  }

  #fail(error) {
    if (this.#pc.signalingState === "closed") return;
    this.dispatchEvent(new CustomEvent("error", { detail: { error } }));
  }

  async #offer() {
    for (const { source, layer } of SEATS[this.flow]) {
      const track = this.#options.track(source);
      const seat = { source, layer, transceiver: this.#transceiver(source, layer, track) };
      this.#adopt(seat);
      await this.#feed(seat, track);
    }
    await this.#pc.setLocalDescription();
    this.#describe("offer");
  }

  /** By kind, not by track: the SDP would name every connection's track alike, and the camera's two layers too. */
  #transceiver(source, layer, track) {
    if (this.flow === "both") return this.#pc.addTransceiver(KIND[source], { direction: "sendrecv" });
    const init = { direction: "sendonly" };
    if (source === "camera") init.sendEncodings = [encoding(layer, track)];
    return this.#pc.addTransceiver(KIND[source], init);
  }

  async #handle({ kind, sdp, candidate }) {
    if (kind === "candidate") await this.#addCandidate(candidate);
    else if (kind === "offer" && !this.#options.offers) await this.#answer(sdp);
    else if (kind === "answer" && this.#pc.signalingState === "have-local-offer") {
      await this.#pc.setRemoteDescription({ type: "answer", sdp });
      await this.#addWaitingCandidates();
    }
  }

  async #answer(sdp) {
    // A repeated message is no new offer; only the media server may change what it once offered.
    if (this.#offerSdp === sdp || (this.#offerSdp !== null && this.flow === "both")) return;
    this.#offerSdp = sdp;
    await this.#pc.setRemoteDescription({ type: "offer", sdp });
    if (this.flow === "both") await this.#sendBack();
    await this.#pc.setLocalDescription();
    this.#describe("answer");
    await this.#addWaitingCandidates();
  }

  async #sendBack() {
    for (const transceiver of this.#pc.getTransceivers()) {
      const source = transceiver.receiver.track.kind === "audio" ? "microphone" : "camera";
      if (this.#seats.some((seat) => seat.source === source)) continue;
      transceiver.direction = "sendrecv";
      const seat = { source, layer: "h", transceiver };
      this.#adopt(seat);
      await this.#feed(seat, this.#options.track(source));
    }
  }

  #adopt(seat) {
    this.#seats.push(seat);
    if (seat.source === "camera") preferCodecs(seat.transceiver, this.#options.videoCodecs);
  }

  async #feed({ source, layer, transceiver: { sender } }, track) {
    await sender.replaceTrack(track);
    if (this.flow !== "send" || source !== "camera" || !track) return;
    // Another camera may have another size.
    const parameters = sender.getParameters();
    if (!parameters.encodings?.length) return;
    Object.assign(parameters.encodings[0], encoding(layer, track));
    await sender.setParameters(parameters);
  }

  #describe(kind) {
    const { owner } = this.#options;
    const tracks = this.#seats.map(({ source, layer, transceiver: { mid } }) => {
      const id = layer === "h" ? `${owner}-${source}` : `${owner}-${source}-${layer}`;
      return { id, owner, source, layer, mid };
    });
    this.#described = true;
    this.#send({ kind, sdp: this.#pc.localDescription.sdp, tracks });
    for (const candidate of this.#localCandidates.splice(0)) this.#send(candidate);
  }

  #send(message) {
    const { epoch, attempt } = this;
    this.#options.send({ ...message, epoch, ...(attempt && { attempt }) });
  }

  #trickle(candidate) {
    const { candidate: line = "", sdpMid = null, sdpMLineIndex = null } = candidate?.toJSON() ?? {};
    const message = { kind: "candidate", candidate: { candidate: line } };
    if (sdpMid !== null) message.candidate.sdpMid = sdpMid;
    if (sdpMLineIndex !== null) message.candidate.sdpMLineIndex = sdpMLineIndex;
    if (this.#described) this.#send(message);
    else this.#localCandidates.push(message);
  }

  async #addCandidate(candidate) {
    if (!this.#pc.remoteDescription) {
      this.#remoteCandidates.push(candidate);
      return;
    }
    try {
      await this.#pc.addIceCandidate(candidate.candidate ? candidate : undefined);
    } catch {
      // One candidate this browser cannot use (a name it cannot resolve, say) is no failure: others follow.
    }
  }

  async #addWaitingCandidates() {
    for (const candidate of this.#remoteCandidates.splice(0)) await this.#addCandidate(candidate);
  }

  #receive(track) {
    this[track.kind] ??= track;
    if (this[track.kind] !== track) return;
    this.dispatchEvent(new Event("track"));
    track.addEventListener("unmute", () => this.dispatchEvent(new Event("media")), { once: true });
  }
}

/** Order the codecs; retransmission and error correction stay behind them. */
function preferCodecs(transceiver, preferred) {
  const { codecs } = RTCRtpReceiver.getCapabilities("video");
  const rank = ({ mimeType }) => {
    const index = preferred.indexOf(mimeType.slice("video/".length));
    return index < 0 ? preferred.length : index;
  };
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}
