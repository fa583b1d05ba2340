// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Stands in for the service and its media server in a page of its own: answers send links, offers receive links, and
 * keeps what the client said. `new MediaServer(await import("/sdk/media.js"))`; the client under test is `.media`.
 */
(() => {
  const EPOCH = 1;

  window.until = async (condition, milliseconds = 15000) => {
    const end = performance.now() + milliseconds;
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`not true within ${milliseconds} ms: ${condition}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  /** A camera of 640x360 and a microphone that hums, both drawn here. */
  function devices() {
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const context = canvas.getContext("2d");
    let turn = 0;
    setInterval(() => {
      turn += 7;
      context.fillStyle = `hsl(${turn % 360} 60% 50%)`;
      context.fillRect(0, 0, 640, 360);
    }, 60);
    const audio = new AudioContext();
    const sound = audio.createMediaStreamDestination();
    const hum = new OscillatorNode(audio, { frequency: 440 });
    hum.connect(sound);
    hum.start();
    return { camera: canvas.captureStream(15).getTracks()[0], microphone: sound.stream.getTracks()[0] };
  }

  window.MediaServer = class {
    /** What the client sent: {to, kind, attempt, ...}. */
    sent = [];
    /** What the client dispatched: {type, ...detail}. */
    told = [];
    devices = devices();
    peers = [];
    #links = new Map();

    constructor({ CallMedia }) {
      this.media = new CallMedia({
        self: { userId: "a", sessionId: "1" },
        local: { track: (source) => this.devices[source] },
        videoCodecs: ["H264", "VP8"],
        send: (to, message) => this.#take(to, message),
      });
      for (const type of ["stream", "reconnecting", "renegotiate", "view", "trouble"]) {
        this.media.addEventListener(type, ({ detail }) => this.told.push({ type, ...detail }));
      }
    }

    /** Send the plan of epoch 1 with these links. */
    plan(...peers) {
      this.peers = peers;
      this.media.plan({ epoch: EPOCH, placement: "sfu", peers });
    }

    /** The connection at this end of a link. */
    link(id) {
      return this.#links.get(id);
    }

    offers(id) {
      return this.sent.filter(({ to, kind }) => to === id && kind === "offer");
    }

    /** Offer a user's media: `tracks` over this link. */
    async offer(id, tracks, attempt = "") {
      const pc = this.#connect(id, attempt);
      for (const track of tracks) pc.addTransceiver(track, { direction: "sendonly" });
      await pc.setLocalDescription();
      this.say(id, { kind: "offer", attempt, sdp: pc.localDescription.sdp });
    }

    say(id, message) {
      this.media.receive(id, { epoch: EPOCH, attempt: "", ...message });
    }

    #connect(id, attempt) {
      this.#links.get(id)?.close();
      const pc = new RTCPeerConnection();
      pc.waiting = [];
      pc.onicecandidate = ({ candidate }) => {
        if (candidate) this.say(id, { kind: "candidate", attempt, candidate: candidate.toJSON() });
      };
      this.#links.set(id, pc);
      return pc;
    }

    async #take(to, message) {
      this.sent.push({ to, ...message });
      const { kind, sdp, candidate, attempt } = message;
      if (kind === "offer") {
        const pc = this.#connect(to, attempt ?? "");
        await pc.setRemoteDescription({ type: "offer", sdp });
        await pc.setLocalDescription();
        if (this.mute) return;
        this.say(to, { kind: "answer", attempt: attempt ?? "", sdp: pc.localDescription.sdp });
        for (const each of pc.waiting) await pc.addIceCandidate(each);
        return;
      }
      const pc = this.#links.get(to);
      if (kind === "answer") {
        await pc.setRemoteDescription({ type: "answer", sdp });
        for (const each of pc.waiting) await pc.addIceCandidate(each);
      } else if (kind === "candidate" && candidate.candidate) {
        if (pc.remoteDescription) await pc.addIceCandidate(candidate);
        else pc.waiting.push(candidate);
      }
    }
  };
})();
