// SPDX-License-Identifier: Apache-2.0
/**
 * The two sizes a camera is sent to the media server in: h for a large picture, l for a tile among many.
 *
 * Each is a video m-line of its own, fed by the same track: the browser scales and encodes per sender, and
 * one track means one thing to stop when the camera is switched off.
 */

/** Both layers together stay below what a home's uplink carries. Bits per second. */
const H_BITS_PER_S = 1_500_000;
const L_BITS_PER_S = 150_000;
const L_FRAMES_PER_S = 15;
/** The shorter side of layer l, in pixels. */
const L_SHORT_SIDE = 180;
/** Of a camera whose size is not known yet: 1280x720. */
const USUAL_SHORT_SIDE = 720;

/**
 * The RTCRtpEncodingParameters of a layer.
 * @param layer {"h"|"l"}
 * @param track {MediaStreamTrack|null} what is sent; its size decides how much smaller l is
 */
export function encoding(layer, track) {
  if (layer === "h") return { maxBitrate: H_BITS_PER_S };
  const { width, height } = track?.getSettings() ?? {};
  const shortSide = Math.min(width || USUAL_SHORT_SIDE, height || USUAL_SHORT_SIDE);
  return {
    maxBitrate: L_BITS_PER_S,
    maxFramerate: L_FRAMES_PER_S,
    scaleResolutionDownBy: Math.max(1, shortSide / L_SHORT_SIDE),
  };
}
