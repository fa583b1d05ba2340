// SPDX-License-Identifier: GPL-3.0-or-later
/** Numbers and times as people read them. */

const DAY_S = 86400;

export function count(number) {
  return number.toLocaleString();
}

/** 3725 -> "1:02:05". */
export function duration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours, minutes, rest] = parts;
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function moment(unixS) {
  return new Date(unixS * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

export function day(unixS) {
  return new Date(unixS * 1000).toLocaleDateString([], { day: "numeric", month: "short" });
}

/** By how many seconds the days here begin earlier than in Greenwich. */
export function utcOffset() {
  return -new Date().getTimezoneOffset() * 60;
}

/** The midnight, Unix seconds, `days` - 1 days before today's. */
export function midnight(days) {
  const today = new Date();
  today.setHours(0, 0, 0, 0);
  return Math.floor(today.getTime() / 1000) - (days - 1) * DAY_S;
}
