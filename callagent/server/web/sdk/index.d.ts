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

export interface DeviceSettings {
  /** Ids of `list()`; "" is the system's choice. */
  cameraId: string;
  microphoneId: string;
  speakerId: string;
  echoCancellation: boolean;
  noiseSuppression: boolean;
}

export interface DeviceInfo {
  id: string;
  /** Empty before the page had a permission. */
  name: string;
}
export type DeviceLists = Record<TrackKind | "speaker", DeviceInfo[]>;

/**
 * The devices of this browser as a media source. Dispatches `change` (detail: DeviceLists) when something was plugged
 * in or pulled out, and `reopen` (detail: {kind}) when the chosen device came back: pass it to `replaceDevices`.
 */
export declare class BrowserDevices extends EventTarget implements MediaSource {
  constructor(settings?: Partial<DeviceSettings>);
  settings: DeviceSettings;
  /** What is open changes with `replaceDevices` and `setSpeaker` of the engine. */
  change(settings: Partial<DeviceSettings>): void;
  list(): Promise<DeviceLists>;
  open(kind: TrackKind): Promise<MediaStreamTrack>;
}

/** Size of a picture, where a media server offers both: h for a large view, l (about 320x180) for a tile. */
export type Layer = "h" | "l";

/** A <video>, or anything that plays a stream. */
export interface RemoteView {
  srcObject: MediaProvider | null;
  setSinkId?(speakerId: string): Promise<void>;
}

export declare const NetworkQuality: {
  readonly UNKNOWN: 0;
  readonly EXCELLENT: 1;
  readonly GOOD: 2;
  readonly POOR: 3;
  readonly BAD: 4;
  readonly VERY_BAD: 5;
  readonly DOWN: 6;
};
export type NetworkQualityValue = (typeof NetworkQuality)[keyof typeof NetworkQuality];

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

/** One of several who is not rung, and why. */
export interface RefusedUser {
  userId: string;
  code: number;
  message: string;
}

export interface CallState {
  status: CallStatusValue;
  callId: string | null;
  role: "caller" | "callee" | "joiner" | null;
  mediaType: MediaTypeValue;
  callerId: string | null;
  callerName: string;
  userIdList: readonly string[];
  userData: string;
  members: Readonly<Record<string, Member>>;
  /** Who is being rung into this call, as far as this side was told, by user id. */
  inviting: Readonly<Record<string, true>>;
  epoch: number;
  /** Where the media runs: between the two, through the media server, or each with each. */
  placement: "p2p" | "sfu" | "mesh" | null;
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
  /** Somebody is being rung by an invitation. */
  onUserInviting: OfUser & { inviterId: string };
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
  onMediaPlan: OfCall & { epoch: number; placement: "p2p" | "sfu" | "mesh" };
  onCallMediaTypeChanged: OfUser & { oldMediaType: MediaTypeValue; newMediaType: MediaTypeValue };
  onMissedCall: OfCall & { callerId: string; mediaType: MediaTypeValue; reason: CallEndReasonValue };
  onKickedOffline: { message: string };
  onUserSigExpired: Record<string, never>;
  onLoggedOut: { code: number; message: string };
  onStateChange: { state: CallState };
  onConnectionChange: { state: ConnectionState };
  /** One stream for as long as the user is in the call; its tracks are exchanged when the way changes. */
  onRemoteStream: { userId: string; stream: MediaStream | null };
  onLocalMedia: { microphone: boolean; camera: boolean; stream: MediaStream | null };
  /** Of the own user: its way to the media server. */
  onUserReconnecting: { userId: string; reconnecting: boolean };
  /** 0 to 100 by user id, twice a second; the own user's is what the microphone hears. */
  onUserVoiceVolumeChanged: OfCall & { volumeMap: Record<string, number> };
  /** Of oneself what is sent, of the others what comes from them; when it changes. */
  onUserNetworkQualityChanged: OfCall & {
    networkQualityList: { userId: string; quality: NetworkQualityValue }[];
  };
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
    chatGroupId?: string;
    offlinePushInfo?: Record<string, unknown>;
  }): Promise<{ callId: string; roomId: number | string; timeout: number; refused: RefusedUser[] }>;
  /** Enter a running call; the camera is closed at first. */
  join(callId: string): Promise<void>;
  /** Have others rung into this call. */
  inviteUser(invitation: {
    userIdList: string[];
    timeout?: number;
  }): Promise<{ invited: string[]; refused: RefusedUser[] }>;
  /** Of two people: go on without pictures. With more -1205. */
  switchMediaType(mediaType: 1 | 2): Promise<void>;
  accept(options?: { video?: boolean }): Promise<void>;
  reject(): Promise<void>;
  hangup(): Promise<void>;
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  /** Resolves when the member's device has done it. */
  command(userId: string, command: string): Promise<void>;
  replaceDevices(kinds?: TrackKind[]): Promise<void>;
  /** Where the sound of all views of `startRemoteView` goes; "" is the system's default. */
  setSpeaker(speakerId: string): Promise<void>;
  /** Play a member in `view` until the call ends. */
  startRemoteView(userId: string, view: RemoteView, layer?: Layer): void;
  /** The picture is not wanted for now; the sound goes on. */
  stopRemoteView(userId: string): void;
  setRemoteLayer(userId: string, layer: Layer | "off"): void;
  getUsers(query?: { userIds?: string[]; subscribe?: boolean }): Promise<UserInfo[]>;
  getHistory(query?: { limit?: number; before?: number }): Promise<HistoryEntry[]>;
  setSelfInfo(info: { nickname?: string; avatar?: string }): Promise<unknown>;
  getStats(userId: string): Promise<RTCStatsReport | null>;
  probe(): void;
}
