// SPDX-License-Identifier: Apache-2.0
/**
 * One RTCPeerConnection to one peer session in one epoch.
 *
 * Audio (first m-line) and video (second) are negotiated in both directions once and for all; what
 * flows is decided by replaceTrack, so nothing is ever renegotiated inside an epoch. Candidates
 * trickle both ways and wait until the description they belong to is set.
 *
 * Dispatches: `state` (connectionState changed), `media` (the first packet of a remote track arrived).
 */

const KINDS = ["microphone", "camera"];

export class PeerConnection extends EventTarget {
  /** The remote audio and video tracks. */
  stream = new MediaStream();
  #pc;
  #options;
  #queue = Promise.resolve();
  #remoteCandidates = [];
  #localCandidates = [];
  #described = false;
  #answered = false;
  #senders = {};

  /**
   * @param options.peer {{userId, sessionId}} the other side
   * @param options.epoch {number}
   * @param options.offers {boolean} whether this side makes the offer
   * @param options.iceServers {RTCIceServer[]}
   * @param options.videoCodecs {string[]} in order of preference, such as ["H264", "VP8"]
   * @param options.owner {string} this side's user id
   * @param options.track {(kind) => MediaStreamTrack|null} what to send now
   * @param options.send {(message) => void} passes an offer, answer or candidate on
   */
  constructor(options) {
    super();
    this.#options = options;
    this.#pc = new RTCPeerConnection({ iceServers: options.iceServers, bundlePolicy: "max-bundle" });
    this.#pc.onicecandidate = ({ candidate }) => this.#trickle(candidate);
    this.#pc.onconnectionstatechange = () => this.dispatchEvent(new Event("state"));
    this.#pc.ontrack = ({ track }) => this.#receive(track);
    if (options.offers) this.#enqueue(() => this.#offer());
  }

  get peer() {
    return this.#options.peer;
  }

  get epoch() {
    return this.#options.epoch;
  }

  get connectionState() {
    return this.#pc.connectionState;
  }

  /** An offer, answer or candidate of this epoch from the peer. */
  handle(message) {
    this.#enqueue(() => this.#handle(message));
  }

  /** Send another track of that kind, or nothing. */
  replaceTrack(kind, track) {
    this.#enqueue(() => this.#senders[kind]?.replaceTrack(track));
  }

  /** Packets received so far, all tracks together. */
  async packetsReceived() {
    let packets = 0;
    for (const report of (await this.#pc.getStats()).values()) {
      if (report.type === "inbound-rtp") packets += report.packetsReceived;
    }
    return packets;
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
    for (const [index, kind] of ["audio", "video"].entries()) {
      const track = this.#options.track(KINDS[index]);
      this.#adopt(KINDS[index], this.#pc.addTransceiver(track ?? kind, { direction: "sendrecv" }));
    }
    await this.#pc.setLocalDescription();
    this.#describe("offer");
  }

  async #handle({ kind, sdp, candidate }) {
    if (kind === "candidate") await this.#addCandidate(candidate);
    else if (kind === "offer" && !this.#options.offers && !this.#answered) await this.#answer(sdp);
    else if (kind === "answer" && this.#pc.signalingState === "have-local-offer") {
      await this.#pc.setRemoteDescription({ type: "answer", sdp });
      await this.#addWaitingCandidates();
    }
  }

  async #answer(sdp) {
    this.#answered = true;
    await this.#pc.setRemoteDescription({ type: "offer", sdp });
    for (const transceiver of this.#pc.getTransceivers()) {
      const kind = transceiver.receiver.track.kind === "audio" ? "microphone" : "camera";
      if (this.#senders[kind]) continue;
      transceiver.direction = "sendrecv";
      this.#adopt(kind, transceiver);
      await transceiver.sender.replaceTrack(this.#options.track(kind));
    }
    await this.#pc.setLocalDescription();
    this.#describe("answer");
    await this.#addWaitingCandidates();
  }

  #adopt(kind, transceiver) {
    this.#senders[kind] = transceiver.sender;
    if (kind === "camera") preferCodecs(transceiver, this.#options.videoCodecs);
  }

  #describe(kind) {
    const mids = this.#pc.getTransceivers().map(({ mid, sender }) => ({ mid, sender }));
    const tracks = KINDS.flatMap((source) => {
      const found = mids.find(({ sender }) => sender === this.#senders[source]);
      const id = `${this.#options.owner}-${source}`;
      return found ? [{ id, owner: this.#options.owner, source, layer: "h", mid: found.mid }] : [];
    });
    this.#described = true;
    this.#options.send({ kind, sdp: this.#pc.localDescription.sdp, tracks });
    for (const candidate of this.#localCandidates.splice(0)) this.#options.send(candidate);
  }

  #trickle(candidate) {
    const { candidate: line = "", sdpMid = null, sdpMLineIndex = null } = candidate?.toJSON() ?? {};
    const message = { kind: "candidate", candidate: { candidate: line } };
    if (sdpMid !== null) message.candidate.sdpMid = sdpMid;
    if (sdpMLineIndex !== null) message.candidate.sdpMLineIndex = sdpMLineIndex;
    if (this.#described) this.#options.send(message);
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
    this.stream.addTrack(track);
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
