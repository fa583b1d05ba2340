// SPDX-License-Identifier: Apache-2.0
/** What a connection's statistics say of its life, and how good a network they show. Pure. */

/** As callagent/protocol/enums.py has it. */
export const NetworkQuality = Object.freeze({
  UNKNOWN: 0,
  EXCELLENT: 1,
  GOOD: 2,
  POOR: 3,
  BAD: 4,
  VERY_BAD: 5,
  DOWN: 6,
});

/** Quality, the worst share of packets lost, the longest round trip in seconds; as the agents grade. */
const LIMITS = [
  [NetworkQuality.EXCELLENT, 0.01, 0.1],
  [NetworkQuality.GOOD, 0.03, 0.2],
  [NetworkQuality.POOR, 0.08, 0.35],
  [NetworkQuality.BAD, 0.15, 0.6],
  [NetworkQuality.VERY_BAD, 0.4, 1.5],
];

/** @param lost {number} 0 to 1 @param roundTripS {number} seconds */
export function grade(lost, roundTripS) {
  const found = LIMITS.find(([, most, longest]) => lost <= most && roundTripS <= longest);
  return found ? found[0] : NetworkQuality.DOWN;
}

/**
 * The figures of one connection (W3C webrtc-stats): `received` and `lost` packets and `frames` decoded since it
 * began, `level` of the sound that arrives and `ownLevel` of what is sent (0 to 1), `lostThere`, the share of
 * one's own packets the other end reports lost, and `roundTripS`.
 * @param report {RTCStatsReport}
 */
export function vitals(report) {
  const found = { received: 0, lost: 0, frames: 0, level: 0, ownLevel: 0, lostThere: 0, roundTripS: 0 };
  for (const entry of report.values()) {
    switch (entry.type) {
      case "inbound-rtp":
        found.received += entry.packetsReceived ?? 0;
        found.lost += entry.packetsLost ?? 0;
        if (entry.kind === "video") found.frames += entry.framesDecoded ?? 0;
        else found.level = Math.max(found.level, entry.audioLevel ?? 0);
        break;
      case "media-source":
        if (entry.kind === "audio") found.ownLevel = Math.max(found.ownLevel, entry.audioLevel ?? 0);
        break;
      case "remote-inbound-rtp":
        found.lostThere = Math.max(found.lostThere, entry.fractionLost ?? 0);
        break;
      case "candidate-pair":
        if (entry.nominated) found.roundTripS = Math.max(found.roundTripS, entry.currentRoundTripTime ?? 0);
    }
  }
  return found;
}

/** The quality of what arrived between two looks at one connection's vitals. */
export function arriving(before, now) {
  const received = now.received - before.received;
  // Packets that come late make the count of the lost fall.
  const lost = Math.max(0, now.lost - before.lost);
  if (received <= 0) return NetworkQuality.DOWN;
  return grade(lost / (received + lost), now.roundTripS);
}

/** From the level of the statistics (linear) to 0…100 as the events tell it. */
export function volume(level) {
  return Math.min(100, Math.round(100 * Math.sqrt(Math.max(0, level))));
}
