// SPDX-License-Identifier: Apache-2.0
/** Types of the SDK for integrators; index.js is what runs. */

export declare const SDK_VERSION: string;

export declare const MediaType: { readonly UNKNOWN: 0; readonly AUDIO: 1; readonly VIDEO: 2 };
export type MediaTypeValue = (typeof MediaType)[keyof typeof MediaType];

export declare const CallEndReason: {
  readonly UNKNOWN: 0;
  readonly HANGUP: 1;
  readonly REJECT: 2;
  readonly NO_RESPONSE: 3;
  readonly OFFLINE: 4;
  readonly LINE_BUSY: 5;
  readonly CANCELED: 6;
  readonly OTHER_DEVICE_ACCEPTED: 7;
  readonly OTHER_DEVICE_REJECT: 8;
  readonly END_BY_SERVER: 9;
};
export type CallEndReasonValue = (typeof CallEndReason)[keyof typeof CallEndReason];

export declare const CallStatus: {
  readonly IDLE: "idle";
  readonly CALLING: "calling";
  readonly RINGING: "ringing";
  readonly CONNECTED: "connected";
};
export type CallStatusValue = (typeof CallStatus)[keyof typeof CallStatus];

/** Names and numbers as in callagent/protocol/errors.py. */
export declare const ErrorCode: Readonly<Record<string, number>>;
export declare function errorName(code: number): string;
export declare function deviceError(error: unknown, kind: TrackKind): CallError;

export declare class CallError extends Error {
  constructor(code: number, message?: string, field?: string | null);
  readonly code: number;
  readonly field: string | null;
  static from(error: unknown, code?: number): CallError;
}

export type TrackKind = "camera" | "microphone";

/** Where tracks come from. The engine stops every track it was given. */
export interface MediaSource {
  open(kind: TrackKind): Promise<MediaStreamTrack>;
}

export interface EngineOptions {
  source: MediaSource;
  /** Stable for this program on this machine; two programs must not share one. */
  deviceId?: string;
  model?: string;
  /** In order of preference; default ["H264", "VP8"]. */
  videoCodecs?: string[];
}

export interface Account {
  url: string;
  sdkAppId: number;
  userId: string;
  userSig: string;
}

export interface Member {
  sessionId: string;
  audio: boolean;
  video: boolean;
  /** Its privacy switch is on: camera and microphone are closed at the device. */
  privacy: boolean;
  /** What its device does when asked, such as "openDoor". */
  commands: readonly string[];
}

export interface CallState {
  status: CallStatusValue;
  callId: string | null;
  role: "caller" | "callee" | null;
  mediaType: MediaTypeValue;
  callerId: string | null;
  callerName: string;
  userIdList: readonly string[];
  userData: string;
  members: Readonly<Record<string, Member>>;
  epoch: number;
  answering: boolean;
  leaving: boolean;
}

export type ConnectionState = "closed" | "connecting" | "online" | "reconnecting";

export interface UserInfo {
  userId: string;
  nickname: string;
  avatar: string;
  status: "online" | "offline" | "unlogined" | "unknown";
  inCall: boolean;
  platforms: string[];
}

export interface HistoryEntry {
  callId: string;
  inviter: string;
  inviteList: string[];
  mediaType: MediaTypeValue;
  result: "unknown" | "missed" | "incoming" | "outgoing";
  callResult: "Cancel" | "Reject" | "NotAnswer" | "NormalEnd" | "CallBusy" | "Interrupt";
  /** Unix seconds of the invitation. */
  beginTime: number;
  /** Seconds connected. */
  totalTime: number;
}

interface OfCall {
  callId: string;
}
interface OfUser extends OfCall {
  userId: string;
}
interface CallEnd extends OfUser {
  mediaType: MediaTypeValue;
  reason: CallEndReasonValue;
  /** The engine ended the call itself: the service could not be reached. */
  local?: true;
}

/** Name and data of every event. Those of calls come from the service (docs/protocol.md). */
export interface EngineEvents {
  onCallReceived: OfCall & {
    callerId: string;
    callerName: string;
    calleeIdList: string[];
    mediaType: MediaTypeValue;
    remaining: number;
  };
  onCallBegin: OfCall & { mediaType: MediaTypeValue };
  onCallEnd: CallEnd & { totalTime?: number };
  onCallNotConnected: CallEnd;
  onUserReject: OfUser;
  onUserNoResponse: OfUser;
  onUserLineBusy: OfUser;
  onUserJoin: OfUser & {
    sessionId: string;
    audioAvailable: boolean;
    videoAvailable: boolean;
    privacy: boolean;
    commands: string[];
  };
  onUserLeave: OfUser & { reason: CallEndReasonValue };
  onUserAudioAvailable: OfUser & { isAudioAvailable: boolean };
  onUserVideoAvailable: OfUser & { isVideoAvailable: boolean };
  onUserPrivacy: OfUser & { isPrivacyOn: boolean };
  onUserCommands: OfUser & { commands: string[] };
  onMediaPlan: OfCall & { epoch: number };
  onMissedCall: OfCall & { callerId: string; mediaType: MediaTypeValue; reason: CallEndReasonValue };
  onKickedOffline: { message: string };
  onUserSigExpired: Record<string, never>;
  onLoggedOut: { code: number; message: string };
  onStateChange: { state: CallState };
  onConnectionChange: { state: ConnectionState };
  onRemoteStream: { userId: string; stream: MediaStream | null };
  onLocalMedia: { microphone: boolean; camera: boolean; stream: MediaStream | null };
  onUserReconnecting: { userId: string; reconnecting: boolean };
  onPresence: Pick<UserInfo, "userId" | "nickname" | "status" | "inCall">;
  onError: { code: number; message: string };
}

/** Log in, call, answer, hang up. Every method that returns a promise rejects with a CallError. */
export declare class CallEngine extends EventTarget {
  constructor(options: EngineOptions);
  readonly state: CallState;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly connectionState: ConnectionState;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  /** Listen to one event; the result stops listening. */
  on<Name extends keyof EngineEvents>(name: Name, callback: (data: EngineEvents[Name]) => void): () => void;
  login(account: Account): Promise<{ sessionId: string; nickname: string; avatar: string; serverVersion: string }>;
  logout(): Promise<void>;
  calls(call: {
    userIdList: string[];
    mediaType: 1 | 2;
    /** Seconds the callee rings, 10 to 600; 0 means 30. */
    timeout?: number;
    roomId?: number | string;
    userData?: string;
  }): Promise<{ callId: string; roomId: number | string; timeout: number }>;
  accept(options?: { video?: boolean }): Promise<void>;
  reject(): Promise<void>;
  hangup(): Promise<void>;
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  /** Resolves when the member's device has done it. */
  command(userId: string, command: string): Promise<void>;
  replaceDevices(): Promise<void>;
  getUsers(query?: { userIds?: string[]; subscribe?: boolean }): Promise<UserInfo[]>;
  getHistory(query?: { limit?: number; before?: number }): Promise<HistoryEntry[]>;
  setSelfInfo(info: { nickname?: string; avatar?: string }): Promise<unknown>;
  getStats(userId: string): Promise<RTCStatsReport | null>;
  probe(): void;
}
