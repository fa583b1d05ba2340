// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Measures tones in the sound a media element plays: Goertzel over the newest 16384 samples (Hann window).
 *
 * `await audioMeter.measure("video", 1000)` gives {level, neighbours, margin}: decibels of the
 * tone, of the strongest of its neighbours (0.8, 0.9, 1.1, 1.2 times the frequency), and the difference.
 */
(() => {
  const SIZE = 16384;
  const NEIGHBOURS = [0.8, 0.9, 1.1, 1.2];
  const FLOOR_DB = -160;
  let context = null;
  const meters = new WeakMap();

  function goertzel(samples, hz, sampleRate) {
    const step = 2 * Math.cos((2 * Math.PI * hz) / sampleRate);
    let before = 0;
    let last = 0;
    for (let index = 0; index < samples.length; index += 1) {
      const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / (samples.length - 1));
      const now = samples[index] * hann + step * last - before;
      before = last;
      last = now;
    }
    const power = last * last + before * before - step * last * before;
    const amplitude = (4 * Math.sqrt(Math.max(power, 0))) / samples.length;
    return amplitude > 0 ? Math.max(FLOOR_DB, 20 * Math.log10(amplitude)) : FLOOR_DB;
  }

  /** Of a track: a stream may exchange its own. */
  async function analyser(track) {
    context ??= new AudioContext();
    if (context.state !== "running") await context.resume();
    if (!meters.has(track)) {
      const node = new AnalyserNode(context, { fftSize: SIZE, smoothingTimeConstant: 0 });
      context.createMediaStreamSource(new MediaStream([track])).connect(node);
      meters.set(track, node);
    }
    return meters.get(track);
  }

  window.audioMeter = {
    goertzel,
    async measure(selector, hz) {
      const track = document.querySelector(selector)?.srcObject?.getAudioTracks()[0];
      if (!track) return null;
      const node = await analyser(track);
      const samples = new Float32Array(SIZE);
      node.getFloatTimeDomainData(samples);
      const level = goertzel(samples, hz, context.sampleRate);
      const neighbours = Math.max(...NEIGHBOURS.map((f) => goertzel(samples, hz * f, context.sampleRate)));
      return { level, neighbours, margin: level - neighbours };
    },
  };
})();
