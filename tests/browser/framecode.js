// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Reads the frame code of callagent.devices.virtual.framecode out of a <video>, frame by frame.
 *
 * The strip: 2 rows x 32 cells over the top eighth of the picture; 64 bits, most significant first: marker
 * 0xB2, ident, 16-bit counter, 24-bit clock in ms, CRC-8 (0x07) over the seven bytes before.
 */
(() => {
  const MARKER = 0xb2;
  const COLUMNS = 32;

  function crc8(bytes) {
    let crc = 0;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : (crc << 1) & 0xff;
    }
    return crc;
  }

  /** Mean luma of the inner half of a cell, RGBA in. */
  function cellMean(pixels, width, height, index) {
    const cellWidth = width / COLUMNS;
    const cellHeight = height / 2;
    const left = (index % COLUMNS) * cellWidth;
    const top = Math.floor(index / COLUMNS) * cellHeight;
    let sum = 0;
    let count = 0;
    for (let y = Math.ceil(top + cellHeight / 4); y < top + (cellHeight * 3) / 4; y += 1) {
      for (let x = Math.ceil(left + cellWidth / 4); x < left + (cellWidth * 3) / 4; x += 1) {
        const at = (y * width + x) * 4;
        sum += 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
        count += 1;
      }
    }
    return sum / count;
  }

  function decode(pixels, width, height) {
    const means = Array.from({ length: 64 }, (_, index) => cellMean(pixels, width, height, index));
    const marker = means.slice(0, 8);
    const darkest = Math.min(...marker);
    const brightest = Math.max(...marker);
    if (brightest - darkest < 40) return null;
    const threshold = (darkest + brightest) / 2;
    const bytes = Array.from({ length: 8 }, (_, byte) =>
      means.slice(byte * 8, byte * 8 + 8).reduce((value, mean) => value * 2 + (mean > threshold ? 1 : 0), 0),
    );
    if (bytes[0] !== MARKER || crc8(bytes.slice(0, 7)) !== bytes[7]) return null;
    return {
      ident: bytes[1],
      counter: bytes[2] * 256 + bytes[3],
      clock: (bytes[4] * 256 + bytes[5]) * 256 + bytes[6],
    };
  }

  /**
   * Watches one element; `samples` grows by {at, ident, counter, clock}, `unreadable` counts the rest; `times` has
   * when each picture was shown, readable or not.
   */
  class FrameCodeReader {
    constructor(video) {
      this.video = video;
      this.samples = [];
      this.times = [];
      this.unreadable = 0;
      this.canvas = document.createElement("canvas");
      this.context = this.canvas.getContext("2d", { willReadFrequently: true });
      this.next();
    }

    next() {
      this.video.requestVideoFrameCallback((now) => {
        this.read(now);
        this.next();
      });
    }

    read(now) {
      this.times.push(now);
      const { videoWidth: width, videoHeight } = this.video;
      const height = Math.floor(videoHeight / 8);
      if (!width || !height) return;
      if (this.canvas.width !== width || this.canvas.height !== height) {
        this.canvas.width = width;
        this.canvas.height = height;
      }
      this.context.drawImage(this.video, 0, 0, width, height, 0, 0, width, height);
      const code = decode(this.context.getImageData(0, 0, width, height).data, width, height);
      if (code) this.samples.push({ at: now, ...code });
      else this.unreadable += 1;
    }
  }

  const readers = new WeakMap();
  window.frameCode = {
    decode,
    /** The reader of that element; made at the first call. */
    of(selector) {
      const video = document.querySelector(selector);
      if (!readers.has(video)) readers.set(video, new FrameCodeReader(video));
      return readers.get(video);
    },
  };
})();
