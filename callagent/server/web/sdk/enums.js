// SPDX-License-Identifier: Apache-2.0
/** Enumerations on the wire, as callagent/protocol/enums.py has them. */

export const MediaType = Object.freeze({ UNKNOWN: 0, AUDIO: 1, VIDEO: 2 });

export const CallEndReason = Object.freeze({
  UNKNOWN: 0,
  HANGUP: 1,
  REJECT: 2,
  NO_RESPONSE: 3,
  OFFLINE: 4,
  LINE_BUSY: 5,
  CANCELED: 6,
  OTHER_DEVICE_ACCEPTED: 7,
  OTHER_DEVICE_REJECT: 8,
  END_BY_SERVER: 9,
});

export const CallStatus = Object.freeze({
  IDLE: "idle",
  CALLING: "calling",
  RINGING: "ringing",
  CONNECTED: "connected",
});
