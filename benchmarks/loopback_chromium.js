// SPDX-License-Identifier: GPL-3.0-or-later
/** Two connections in one page; what `loopback_chromium.py` calls. */
globalThis.loopback = (() => {
  const COLUMNS = 32;
  let taken = new Map(); // counter -> when the camera's track gave it
  let latencies = [];
  let size = [0, 0];
  let sender = null;
  let bytesBefore = 0;
  let arrived = null;

  /** The 16-bit counter out of the frame code (callagent.devices.virtual.framecode), from one row of cells. */
  async function counter(frame) {
    const width = frame.visibleRect.width;
    const cellHeight = frame.visibleRect.height / 16;
    const y = 2 * Math.floor(cellHeight / 4);
    const rect = { x: 0, y, width, height: 2 };
    const pixels = new Uint8Array(frame.allocationSize({ rect }));
    const [plane] = await frame.copyTo(pixels, { rect });
    let value = 0;
    for (let bit = 16; bit < 32; bit += 1) {
      const x = Math.floor(((bit + 0.5) * width) / COLUMNS);
      value = value * 2 + (pixels[plane.offset + x] > 128 ? 1 : 0);
    }
    return value;
  }

  async function watch(track, seen) {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      const at = performance.now();
      const { width, height } = frame.visibleRect;
      seen(await counter(frame), at, width, height);
      frame.close();
    }
  }

  async function bytesSent() {
    let bytes = 0;
    for (const entry of (await sender.getStats()).values()) {
      if (entry.type === "outbound-rtp") bytes += entry.bytesSent + entry.headerBytesSent;
    }
    return bytes;
  }

  async function start(codec, maxBitrate, timeoutMs) {
    const camera = { width: 1280, height: 720, frameRate: 30 };
    const stream = await navigator.mediaDevices.getUserMedia({ video: camera });
    const [track] = stream.getVideoTracks();
    watch(track.clone(), (number, at) => taken.set(number, at));
    const began = performance.now();
    const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
    a.onicecandidate = ({ candidate }) => b.addIceCandidate(candidate);
    b.onicecandidate = ({ candidate }) => a.addIceCandidate(candidate);
    const first = new Promise((resolve, reject) => {
      arrived = resolve;
      setTimeout(() => reject(new Error("no picture")), timeoutMs);
    });
    b.ontrack = ({ track: remote }) =>
      watch(remote, (number, at, width, height) => {
        arrived(at - began);
        size = [width, height];
        const before = taken.get(number);
        if (before !== undefined && before <= at) latencies.push(at - before);
      });
    const transceiver = a.addTransceiver(track, { direction: "sendonly" });
    const codecs = RTCRtpSender.getCapabilities("video").codecs.filter(
      ({ mimeType }) => mimeType === `video/${codec}` || mimeType === "video/rtx",
    );
    transceiver.setCodecPreferences(codecs);
    sender = transceiver.sender;
    await a.setLocalDescription();
    await b.setRemoteDescription(a.localDescription);
    await b.setLocalDescription();
    await a.setRemoteDescription(b.localDescription);
    const parameters = sender.getParameters();
    parameters.degradationPreference = "maintain-resolution";
    parameters.encodings[0].maxBitrate = maxBitrate;
    await sender.setParameters(parameters);
    return first;
  }

  return {
    start,
    async reset() {
      latencies = [];
      bytesBefore = await bytesSent();
    },
    async figures() {
      const bytes = (await bytesSent()) - bytesBefore;
      return { latencies, bytes, width: size[0], height: size[1] };
    },
  };
})();
