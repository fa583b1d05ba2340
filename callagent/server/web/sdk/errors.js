// SPDX-License-Identifier: Apache-2.0
/**
 * Every number a failure can have, and the exception that carries it.
 * The same numbers as callagent/protocol/errors.py.
 */

export const ErrorCode = Object.freeze({
  OK: 0,
  PERMISSION_DENIED: -1101,
  INIT_FAIL: -1201,
  PARAM_INVALID: -1202,
  REQUEST_REFUSED: -1203,
  REQUEST_REPEATED: -1204,
  SCENE_NOT_SUPPORTED: -1205,
  CAMERA_START_FAIL: -1301,
  MIC_START_FAIL: -1302,
  CAMERA_NOT_AUTHORIZED: -1314,
  CAMERA_SET_PARAM_FAIL: -1315,
  CAMERA_OCCUPY: -1316,
  MIC_NOT_AUTHORIZED: -1317,
  MIC_SET_PARAM_FAIL: -1318,
  MIC_OCCUPY: -1319,
  SIGNALING_SEND_FAIL: -1401,
  NOT_LOGGED_IN: 6014,
  USERSIG_EXPIRED: 6206,
  INVITE_HANDLED: 8010,
  USER_NEVER_LOGGED_IN: 8021,
  NO_MICROPHONE: 60003,
  NO_CAMERA: 60004,
  USERSIG_INVALID: 70002,
  SERVER_INTERNAL: 101001,
  SERVER_PARAM_INVALID: 101002,
  CALL_NOT_EXIST: 101004,
  RECORD_NOT_EXIST: 101050,
  MALFORMED_MESSAGE: 90001,
  UNKNOWN_MESSAGE_TYPE: 90002,
  MESSAGE_TOO_LARGE: 90003,
  PROTOCOL_VERSION: 90004,
  UNKNOWN_APP: 90005,
  DEVICE_KEY_INVALID: 90006,
  ENROLMENT_CODE_INVALID: 90007,
  PEER_UNREACHABLE: 90008,
  KICKED_OFFLINE: 90009,
  SERVICE_STOPPING: 90010,
  RESUME_IMPOSSIBLE: 90011,
  USER_BLOCKED: 90012,
  CALL_NOT_ALLOWED: 90013,
  TOO_MANY_REQUESTS: 90014,
  MEDIA_FAILED: 90020,
  SOUND_FILE: 90021,
  DEVICE_SPEAKER: 90022,
});

const NAMES = new Map(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

/** The name of a code, such as `CAMERA_OCCUPY`; `UNKNOWN` for one this version does not know. */
export function errorName(code) {
  return NAMES.get(code) ?? "UNKNOWN";
}

/** A failure with a number, a sentence for a person and, for bad input, the field. */
export class CallError extends Error {
  constructor(code, message, field = null) {
    super(message || errorName(code));
    this.name = "CallError";
    this.code = code;
    this.field = field;
  }

  /** Whatever was thrown, as a CallError. */
  static from(error, code = ErrorCode.SERVER_INTERNAL) {
    return error instanceof CallError ? error : new CallError(code, String(error?.message ?? error));
  }
}

const DEVICE_CODES = {
  camera: {
    NotAllowedError: ErrorCode.CAMERA_NOT_AUTHORIZED,
    SecurityError: ErrorCode.CAMERA_NOT_AUTHORIZED,
    NotReadableError: ErrorCode.CAMERA_OCCUPY,
    OverconstrainedError: ErrorCode.CAMERA_SET_PARAM_FAIL,
    NotFoundError: ErrorCode.NO_CAMERA,
    other: ErrorCode.CAMERA_START_FAIL,
  },
  microphone: {
    NotAllowedError: ErrorCode.MIC_NOT_AUTHORIZED,
    SecurityError: ErrorCode.MIC_NOT_AUTHORIZED,
    NotReadableError: ErrorCode.MIC_OCCUPY,
    OverconstrainedError: ErrorCode.MIC_SET_PARAM_FAIL,
    NotFoundError: ErrorCode.NO_MICROPHONE,
    other: ErrorCode.MIC_START_FAIL,
  },
};

/**
 * The code for what getUserMedia threw (W3C mediacapture-main 10.3).
 * @param {unknown} error what was thrown
 * @param {"camera"|"microphone"} kind which device was asked for
 */
export function deviceError(error, kind) {
  if (error instanceof CallError) return error;
  const codes = DEVICE_CODES[kind];
  return new CallError(codes[error?.name] ?? codes.other, String(error?.message ?? error));
}
