// SPDX-License-Identifier: Apache-2.0
/**
 * What a media plan asks for, and when a connection that was replaced may go. Pure.
 *
 * A connection is `{epoch, peer: {userId, sessionId, flow}}`; times are milliseconds.
 */

/** The longest that a replaced connection stays. */
export const OVERLAP_LIMIT_MS = 5000;
/** It stays this long after its successor took over here: a slower other side still sees this one by it. */
const OVERLAP_MS = 4000;

/**
 * @param epoch {number} the present one
 * @param links the connections in use
 * @param plan {{epoch, placement, peers}}
 * @returns {{epoch, add: object[], retire: object[], close: object[]} | null} null: the plan is of the past
 */
export function changes(epoch, links, plan) {
  if (plan.epoch < epoch) return null;
  const peers = plan.peers.map((peer) => ({ flow: "both", ...peer }));
  const planned = (link) => peers.some(({ sessionId }) => sessionId === link.peer.sessionId);
  const present = (peer) => links.some((link) => link.epoch === plan.epoch && link.peer.sessionId === peer.sessionId);
  const succeeded = (link) => peers.some(({ userId, flow }) => userId === link.peer.userId && flow === link.peer.flow);
  if (plan.epoch === epoch) {
    const dropped = links.filter((link) => link.epoch === epoch && !planned(link));
    return {
      epoch,
      add: peers.filter((peer) => !present(peer)),
      retire: dropped.filter(succeeded),
      close: dropped.filter((link) => !succeeded(link)),
    };
  }
  // The media server's links come one by one in later plans of the epoch; only a plan that names everybody
  // also says who has gone.
  const whole = plan.placement !== "sfu";
  const gone = (link) => whole && link.peer.flow !== "send" && !peers.some(({ userId }) => userId === link.peer.userId);
  return {
    epoch: plan.epoch,
    add: peers,
    retire: links.filter((link) => !gone(link)),
    close: links.filter(gone),
  };
}

/**
 * Whether a new connection may take the place of the one that shows a user now.
 * @param vitals {{received, frames}} of the new one
 * @param wanted {{audio, video}} what the user sends and is wanted here
 * @param oldAlive {boolean} whether the old one still brings something
 */
export function mayTakeOver(connected, vitals, wanted, oldAlive) {
  if (!connected) return false;
  if (wanted.video && oldAlive) return vitals.frames > 0;
  return wanted.audio || wanted.video ? vitals.received > 0 : true;
}

/**
 * Whether a replaced connection may be closed.
 * @param link {{retiredAt, shows, takenOverAt}} `shows`: a user is still seen by it; `takenOverAt`: when its
 *   successor took over, null when none has yet
 */
export function mayClose({ retiredAt, shows, takenOverAt }, now) {
  if (now - retiredAt >= OVERLAP_LIMIT_MS) return true;
  return !shows && takenOverAt !== null && now - takenOverAt >= OVERLAP_MS;
}
