// SPDX-License-Identifier: Apache-2.0
/**
 * The call as this client sees it: a pure state machine, no clock and no I/O.
 *
 *     idle -> calling (outgoing) | ringing (incoming) -> connected -> idle
 *
 * `transition(state, input)` gives the next state and the actions to perform, in order. The service is
 * the authority: its events always win; what the person does is asked of the service first.
 *
 * Inputs: {type: "calls", userIdList, mediaType} · {type: "callsReply", callId, timeout} ·
 * {type: "callsFailed"} · {type: "join", callId} · {type: "joinFailed"} · {type: "accept", video} ·
 * {type: "acceptFailed", over} · {type: "leave"} · {type: "expired", callId} · {type: "sessionLost"} ·
 * {type: "event", name, data}.
 *
 * Actions: {type: "openMedia", video} · {type: "closeMedia"} · {type: "closeCamera"} · {type: "hangup", callId} ·
 * {type: "deadline", afterMs} (replaces the one before; null stops it) · {type: "plan", data} ·
 * {type: "userLeft", userId} · {type: "emit", name, data}.
 */

import { CallEndReason, CallStatus, MediaType } from "./enums.js";

/** The service's timers decide; these only lead out when the service stays silent. */
const RING_GRACE_MS = 10000;
const LEAVE_DEADLINE_MS = 3000;

export const IDLE = Object.freeze({
  status: CallStatus.IDLE,
  callId: null,
  role: null,
  mediaType: MediaType.UNKNOWN,
  callerId: null,
  callerName: "",
  userIdList: Object.freeze([]),
  userData: "",
  members: Object.freeze({}),
  inviting: Object.freeze({}),
  epoch: 0,
  placement: null,
  answering: false,
  leaving: false,
  queued: null,
  early: Object.freeze([]),
});

const stay = (state) => ({ state, actions: [] });
const emit = (name, data) => ({ type: "emit", name, data });
const deadline = (afterMs) => ({ type: "deadline", afterMs });
const CLOSE_MEDIA = { type: "closeMedia" };

/** @returns {{state: object, actions: object[]}} */
export function transition(state, input) {
  return INPUTS[input.type](state, input);
}

const INPUTS = {
  calls(state, { userIdList, mediaType, userData = "" }) {
    if (state.status !== CallStatus.IDLE) return stay(state);
    const inviting = Object.fromEntries(userIdList.map((userId) => [userId, true]));
    const next = { ...IDLE, status: CallStatus.CALLING, role: "caller", mediaType, userIdList, userData, inviting };
    return { state: next, actions: [{ type: "openMedia", video: mediaType === MediaType.VIDEO }] };
  },

  callsReply(state, { callId, timeout, refused = [] }) {
    if (state.status !== CallStatus.CALLING || state.callId) return stay(state);
    const inviting = refused.reduce((others, { userId }) => without(others, userId), state.inviting);
    const next = { ...state, callId, inviting, queued: null, early: [] };
    const actions = state.leaving
      ? [{ type: "hangup", callId }, deadline(LEAVE_DEADLINE_MS)]
      : [deadline(timeout * 1000 + RING_GRACE_MS)];
    return replay({ state: next, actions }, state.early);
  },

  callsFailed(state) {
    if (state.status !== CallStatus.CALLING || state.callId) return stay(state);
    const done = replay({ state: IDLE, actions: [CLOSE_MEDIA, deadline(null)] }, state.early);
    return state.queued ? chain(done, (s) => ring(s, state.queued)) : done;
  },

  join(state, { callId }) {
    if (state.status !== CallStatus.IDLE) return stay(state);
    const next = { ...IDLE, status: CallStatus.CALLING, role: "joiner", callId };
    return { state: next, actions: [{ type: "openMedia", video: false }] };
  },

  joinFailed(state) {
    if (state.status !== CallStatus.CALLING || state.role !== "joiner") return stay(state);
    return { state: IDLE, actions: [CLOSE_MEDIA, deadline(null)] };
  },

  accept(state, { video }) {
    if (state.status !== CallStatus.RINGING || state.answering || state.leaving) return stay(state);
    return { state: { ...state, answering: true }, actions: [{ type: "openMedia", video }] };
  },

  acceptFailed(state, { over }) {
    if (state.status !== CallStatus.RINGING || !state.answering) return stay(state);
    if (over) return finishHere(state, CallEndReason.UNKNOWN);
    return { state: { ...state, answering: false }, actions: [CLOSE_MEDIA] };
  },

  leave(state) {
    if (state.status === CallStatus.IDLE || state.leaving) return stay(state);
    const actions = [CLOSE_MEDIA];
    if (state.callId) actions.push({ type: "hangup", callId: state.callId }, deadline(LEAVE_DEADLINE_MS));
    return { state: { ...state, leaving: true, answering: false }, actions };
  },

  expired(state, { callId }) {
    if (state.status === CallStatus.IDLE || state.callId !== callId) return stay(state);
    if (state.leaving) return finishHere(state, leaveReason(state));
    const left = finishHere(state, CallEndReason.NO_RESPONSE);
    return { ...left, actions: [{ type: "hangup", callId }, ...left.actions] };
  },

  sessionLost(state) {
    if (state.status === CallStatus.IDLE || (state.status === CallStatus.CALLING && !state.callId)) {
      return stay(state);
    }
    return finishHere(state, state.leaving ? leaveReason(state) : CallEndReason.OFFLINE);
  },

  event(state, { name, data }) {
    const handler = EVENTS[name];
    if (!handler) return { state, actions: [emit(name, data)] };
    const unnamed = state.status === CallStatus.CALLING && !state.callId;
    // The service's events may overtake its reply, which brings the call's id.
    if (unnamed && name !== "onCallReceived") return stay({ ...state, early: [...state.early, { name, data }] });
    return handler(state, data, name);
  },
};

const EVENTS = {
  onCallReceived(state, data) {
    if (state.callId === data.callId) return stay(state);
    if (state.status === CallStatus.CALLING && !state.callId) return stay({ ...state, queued: data });
    if (state.status === CallStatus.IDLE) return ring(state, data);
    return chain(finishHere(state, leaveReason(state)), (s) => ring(s, data));
  },

  onCallBegin(state, data, name) {
    if (state.callId !== data.callId) {
      // Nobody here knows of it any more: a request that timed out was carried out after all.
      return { state, actions: [{ type: "hangup", callId: data.callId }] };
    }
    if (state.leaving) return stay(state);
    const mediaType = data.mediaType ?? state.mediaType;
    const next = { ...state, status: CallStatus.CONNECTED, mediaType, answering: false };
    return { state: next, actions: [deadline(null), emit(name, data)] };
  },

  onCallEnd: finished,
  onCallNotConnected: finished,

  onUserJoin: (state, data, name) =>
    withMember(state, data, name, () => ({
      sessionId: data.sessionId,
      audio: data.audioAvailable,
      video: data.videoAvailable,
      privacy: data.privacy ?? false,
      commands: data.commands ?? [],
    })),

  onUserAudioAvailable: (state, data, name) =>
    withMember(state, data, name, (member) => ({ ...member, audio: data.isAudioAvailable })),

  onUserVideoAvailable: (state, data, name) =>
    withMember(state, data, name, (member) => ({ ...member, video: data.isVideoAvailable })),

  onUserPrivacy: (state, data, name) =>
    withMember(state, data, name, (member) => ({ ...member, privacy: data.isPrivacyOn })),

  onUserCommands: (state, data, name) =>
    withMember(state, data, name, (member) => ({ ...member, commands: data.commands })),

  onUserLeave(state, data, name) {
    if (state.callId !== data.callId) return stay(state);
    const { [data.userId]: _gone, ...members } = state.members;
    const actions = [{ type: "userLeft", userId: data.userId }, emit(name, data)];
    return { state: { ...state, members, inviting: without(state.inviting, data.userId) }, actions };
  },

  onUserInviting(state, data, name) {
    if (state.callId !== data.callId) return stay(state);
    const here = data.userId in state.members;
    const inviting = here ? state.inviting : { ...state.inviting, [data.userId]: true };
    return { state: { ...state, inviting }, actions: [emit(name, data)] };
  },

  onUserReject: notComing,
  onUserNoResponse: notComing,
  onUserLineBusy: notComing,

  onCallMediaTypeChanged(state, data, name) {
    if (state.callId !== data.callId) return stay(state);
    const actions = data.newMediaType === MediaType.AUDIO ? [{ type: "closeCamera" }] : [];
    return { state: { ...state, mediaType: data.newMediaType }, actions: [...actions, emit(name, data)] };
  },

  onMediaPlan(state, data, name) {
    // A plan of the present epoch adds and drops links; see plan.js.
    if (state.callId !== data.callId || state.leaving || data.epoch < state.epoch) return stay(state);
    const next = { ...state, epoch: data.epoch, placement: data.placement ?? null };
    return { state: next, actions: [{ type: "plan", data }, emit(name, data)] };
  },
};

function ring(state, data) {
  const next = {
    ...IDLE,
    status: CallStatus.RINGING,
    role: "callee",
    callId: data.callId,
    mediaType: data.mediaType,
    callerId: data.callerId,
    callerName: data.callerName,
    userIdList: data.calleeIdList,
    userData: data.info?.userData ?? "",
  };
  const actions = [deadline(data.remaining * 1000 + RING_GRACE_MS), emit("onCallReceived", data)];
  return { state: next, actions };
}

function finished(state, data, name) {
  if (state.callId !== data.callId) return stay(state);
  return { state: IDLE, actions: [CLOSE_MEDIA, deadline(null), emit(name, data)] };
}

/** End the call without the service's word, telling the application as the service would. */
function finishHere(state, reason) {
  const data = { callId: state.callId, mediaType: state.mediaType, reason, userId: "", local: true };
  const name = state.status === CallStatus.CONNECTED ? "onCallEnd" : "onCallNotConnected";
  return { state: IDLE, actions: [CLOSE_MEDIA, deadline(null), emit(name, data)] };
}

function leaveReason(state) {
  if (state.status === CallStatus.CONNECTED) return CallEndReason.HANGUP;
  return state.status === CallStatus.CALLING ? CallEndReason.CANCELED : CallEndReason.REJECT;
}

/** Who was being rung is not any more. */
function notComing(state, data, name) {
  if (state.callId !== data.callId) return stay(state);
  return { state: { ...state, inviting: without(state.inviting, data.userId) }, actions: [emit(name, data)] };
}

function without(users, userId) {
  const { [userId]: _gone, ...others } = users;
  return others;
}

function withMember(state, data, name, change) {
  if (state.callId !== data.callId) return stay(state);
  const members = { ...state.members, [data.userId]: change(state.members[data.userId] ?? {}) };
  const inviting = without(state.inviting, data.userId);
  return { state: { ...state, members, inviting }, actions: [emit(name, data)] };
}

function replay(done, events) {
  return events.reduce((before, event) => chain(before, (s) => transition(s, { type: "event", ...event })), done);
}

function chain(done, then) {
  const more = then(done.state);
  return { state: more.state, actions: [...done.actions, ...more.actions] };
}
