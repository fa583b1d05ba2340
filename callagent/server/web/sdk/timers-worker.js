// SPDX-License-Identifier: Apache-2.0
/** The worker behind timers.js: answers {id, delayMs} with the id when the time is up. */
onmessage = ({ data }) => setTimeout(() => postMessage(data.id), data.delayMs);
