// SPDX-License-Identifier: GPL-3.0-or-later
/** Every text a person reads, in one language. A translation is another file of this shape. */

import { CallEndReason, ErrorCode } from "../sdk/index.js";

export const texts = {
  appName: "callagent",
  insecure: (address) =>
    `Browsers give camera and microphone to encrypted pages only, so please open this phone at ${address} instead.`,
  insecureLink: "Open the secure address",

  loginTitle: "Sign in",
  loginIntro: "Call the kiosks and people of this service.",
  loginUser: "User ID",
  loginSig: "UserSig",
  loginSigHint: "Your ticket. Whoever runs the service makes one with “callagent token”, or sends you a link.",
  loginMore: "More",
  loginApp: "App ID",
  loginSubmit: "Sign in",
  loginBusy: "Signing in…",
  loginCa: "Get this service's certificate",
  loginNeedsUser: "Enter your user ID: letters, digits, - and _.",
  loginNeedsSig: "Enter your UserSig.",
  loginNeedsApp: "The app ID is a number.",
  loginWaiting: "The service cannot be reached. Trying again…",
  kicked: "You were signed out because you signed in somewhere else.",

  contacts: "Contacts",
  search: "Search",
  contactsEmpty: "Nobody else has an account here yet.",
  contactsNotFound: (search) => `Nobody matches “${search}”.`,
  online: "Online",
  offline: "Offline",
  inCall: "In a call",
  audioCall: (name) => `Audio call to ${name}`,
  videoCall: (name) => `Video call to ${name}`,
  connection: {
    online: "Ready for calls",
    connecting: "Connecting…",
    reconnecting: "Connection lost. Reconnecting…",
    closed: "Signed out",
  },
  signOut: "Sign out",
  chooseHint: "Tap a name to choose several people and call them together.",
  choose: (name) => `Choose ${name}`,
  chosen: (count) => (count === 1 ? "1 person chosen" : `${count} people chosen`),
  chosenAudio: "Audio call to everybody chosen",
  chosenVideo: "Video call to everybody chosen",
  chosenNone: "Choose nobody",
  audio: "Audio",
  video: "Video",

  joinCall: "Join a call",
  joinHint: "Paste the link or the ID that somebody in the call gave you.",
  joinField: "Link or ID of the call",
  joinSubmit: "Join",
  joinWrong: "That is neither the link nor the ID of a call.",
  joining: "Joining a call",
  joiningStatus: "Joining…",

  history: "History",
  historyEmpty: "Your calls will be listed here.",
  historyMore: "Show earlier calls",
  callBack: (name) => `Call ${name} again`,
  /** "Ben", "Ben and Cleo", "Ben, Cleo and 2 more" */
  names: (names) => {
    if (names.length <= 1) return names[0] ?? "";
    if (names.length <= 3) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
    return `${names.slice(0, 2).join(", ")} and ${names.length - 2} more`;
  },
  missed: "Missed",
  incoming: "Incoming",
  outgoing: "Outgoing",
  results: {
    Cancel: "Cancelled",
    Reject: "Declined",
    NotAnswer: "No answer",
    CallBusy: "Busy",
    Interrupt: "Connection lost",
  },
  yesterday: "Yesterday",

  incomingVideo: "wants a video call",
  incomingAudio: "is calling",
  alsoCalled: (names) => `with ${texts.names(names)}`,
  incomingTitle: (name) => `${name} is calling`,
  answering: "Connecting…",
  dialling: "Calling…",
  ringing: "Ringing…",
  ringingSilent: "Touch the page once to hear it ring.",
  answerVideo: "Video",
  answerAudio: "Audio",
  answerCall: "Answer",
  decline: "Decline",
  cancel: "Cancel",
  hangUp: "Hang up",
  mute: "Mute",
  unmute: "Unmute",
  cameraOff: "Camera off",
  cameraOn: "Camera on",
  devices: "Devices",
  playRemote: "Tap to see and hear",
  connectingMedia: "Connecting picture and sound…",
  reconnectingPeer: "Reconnecting…",
  reconnectingSelf: "Your connection was lost. Reconnecting…",
  peerCameraOff: "Camera is off",
  peerMuted: "Microphone is off",
  peerPrivacy: "Privacy is on: camera and microphone are closed there",
  openDoor: "Open door",
  doorOpened: "The door was opened",
  peerPrivacyShort: "Privacy is on",
  connectingShort: "Connecting…",
  weakNetwork: "Weak connection",
  audioOnly: "Audio call",
  nowAudio: "The call goes on without pictures.",
  you: "You",
  enlarge: (name) => `Show ${name} large`,
  showAll: "Show everybody alike",
  userBusy: (name) => `${name} is busy`,
  userDeclined: (name) => `${name} declined`,
  userNoAnswer: (name) => `${name} did not answer`,
  userLeft: (name) => `${name} left the call`,

  people: "People",
  peopleInCall: "In this call",
  inviteTitle: "Invite",
  inviteNobody: "Everybody you could invite is in this call.",
  inviteSubmit: (count) => (count > 1 ? `Invite ${count} people` : "Invite"),
  inviting: (names) => `Ringing ${names}…`,
  callLink: "Link to this call",
  copyLink: "Copy link",
  copied: "Copied",
  switchToAudio: "Go on without video",
  switchToAudioHint: "Both cameras close",
  callEnded: "Call ended",
  duration: (time) => `Duration ${time}`,
  callAgain: "Call again",
  close: "Close",
  missedCall: (name) => `Missed call from ${name}`,

  settings: "Devices and sound",
  deviceCamera: "Camera",
  deviceMicrophone: "Microphone",
  deviceSpeaker: "Speaker",
  deviceDefault: "System default",
  deviceNone: "None found",
  deviceNumbered: (kind, number) => `${kind} ${number}`,
  devicesUnnamed: "The browser shows the devices' names after the first call.",
  echoCancellation: "Echo cancellation",
  echoCancellationHint: "Keeps the other side from hearing itself",
  noiseSuppression: "Noise suppression",
  noiseSuppressionHint: "Removes steady noise and evens out the volume",
};

const ERRORS = {
  [ErrorCode.PERMISSION_DENIED]: "You are not allowed to do that.",
  [ErrorCode.INIT_FAIL]: "You are not signed in.",
  [ErrorCode.REQUEST_REFUSED]: "That is not possible right now.",
  [ErrorCode.SCENE_NOT_SUPPORTED]: "That is possible only in a call between two.",
  [ErrorCode.REQUEST_REPEATED]: "That is being done already.",
  [ErrorCode.CAMERA_START_FAIL]: "The camera could not be started; the others do not see you.",
  [ErrorCode.CAMERA_NOT_AUTHORIZED]:
    "The browser does not let this page use the camera; allow it next to the address, then switch the camera on.",
  [ErrorCode.CAMERA_SET_PARAM_FAIL]: "The camera cannot deliver such a picture.",
  [ErrorCode.CAMERA_OCCUPY]: "Another program is using the camera; close it, then switch the camera on.",
  [ErrorCode.MIC_START_FAIL]: "The microphone could not be started; the others do not hear you.",
  [ErrorCode.MIC_NOT_AUTHORIZED]:
    "The browser does not let this page use the microphone; allow it next to the address, then unmute.",
  [ErrorCode.MIC_SET_PARAM_FAIL]: "The microphone does not support these settings.",
  [ErrorCode.MIC_OCCUPY]: "Another program is using the microphone; close it, then unmute.",
  [ErrorCode.SIGNALING_SEND_FAIL]: "The service cannot be reached.",
  [ErrorCode.NOT_LOGGED_IN]: "You are not signed in.",
  [ErrorCode.USERSIG_EXPIRED]: "Your ticket has expired; ask for a new UserSig or link.",
  [ErrorCode.INVITE_HANDLED]: "This call is over.",
  [ErrorCode.USER_NEVER_LOGGED_IN]: "There is no such user.",
  [ErrorCode.NO_MICROPHONE]: "No microphone was found; the others do not hear you.",
  [ErrorCode.NO_CAMERA]: "No camera was found; the others do not see you.",
  [ErrorCode.USERSIG_INVALID]: "This UserSig is not valid for this user.",
  [ErrorCode.SERVER_INTERNAL]: "Something went wrong in the service.",
  [ErrorCode.PROTOCOL_VERSION]: "This page is out of date; reload it.",
  [ErrorCode.UNKNOWN_APP]: "The service does not know this app ID.",
  [ErrorCode.KICKED_OFFLINE]: texts.kicked,
  [ErrorCode.USER_BLOCKED]: "This user was blocked by the operator.",
  [ErrorCode.CALL_NOT_ALLOWED]: "You may not call this user.",
  [ErrorCode.TOO_MANY_REQUESTS]: "That was too much at once; try again in a moment.",
  [ErrorCode.SERVICE_STOPPING]: "The service is being restarted.",
  [ErrorCode.MEDIA_FAILED]: "No way for picture and sound was found; still trying.",
  [ErrorCode.DEVICE_SPEAKER]: "This speaker cannot be used.",
};

/** A sentence for a failure; the service's own words where this page has none. */
export function errorText({ code, message }) {
  return ERRORS[code] ?? `${message} (${code})`;
}

const NOBODY_CAME = new Set([CallEndReason.REJECT, CallEndReason.NO_RESPONSE, CallEndReason.LINE_BUSY]);

/** Why a call ended or never began, in plain words. @param call {{reason, role, name, mine, group}} */
export function endText({ reason, role, name, mine, group = false }) {
  const caller = role === "caller";
  // Each one's own reason was told when it came.
  if (group && caller && NOBODY_CAME.has(reason)) return "Nobody could take the call";
  switch (reason) {
    case CallEndReason.HANGUP:
      return mine ? "You hung up" : `${name} hung up`;
    case CallEndReason.REJECT:
      return caller ? `${name} declined` : "You declined";
    case CallEndReason.NO_RESPONSE:
      return caller ? `${name} did not answer` : `You missed a call from ${name}`;
    case CallEndReason.OFFLINE:
      return mine ? "Your connection was lost" : `The connection to ${name} was lost`;
    case CallEndReason.LINE_BUSY:
      return `${name} is busy`;
    case CallEndReason.CANCELED:
      return caller ? "You cancelled" : `You missed a call from ${name}`;
    case CallEndReason.OTHER_DEVICE_ACCEPTED:
      return "Answered on another device";
    case CallEndReason.OTHER_DEVICE_REJECT:
      return "Declined on another device";
    case CallEndReason.END_BY_SERVER:
      return "The service ended the call";
    default:
      return "The call is over";
  }
}
