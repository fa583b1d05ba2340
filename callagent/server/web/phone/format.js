// SPDX-License-Identifier: GPL-3.0-or-later
/** Times and durations for people. */

import { texts } from "./messages.js";

/** `4:07` or `1:04:07`. @param seconds {number} */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Today the time, before that the day. @param unixSeconds {number} */
export function when(unixSeconds, now = new Date()) {
  const date = new Date(unixSeconds * 1000);
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  if (date >= midnight) return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (date >= new Date(midnight.getTime() - 86400000)) return texts.yesterday;
  return date.toLocaleDateString([], { day: "numeric", month: "short" });
}
