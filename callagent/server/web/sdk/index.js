// SPDX-License-Identifier: Apache-2.0
/** The SDK's public face: import from here. */
export { BrowserDevices } from "./devices.js";
export { CallEngine, SDK_VERSION } from "./engine.js";
export { CallEndReason, CallStatus, MediaType } from "./enums.js";
export { CallError, ErrorCode, deviceError, errorName } from "./errors.js";
export { NetworkQuality } from "./vitals.js";
