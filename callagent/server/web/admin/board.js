// SPDX-License-Identifier: GPL-3.0-or-later
/** Draws what the service told. */

import { count, day, duration, moment } from "./format.js";

const RESULTS = {
  NormalEnd: "Answered",
  NotAnswer: "No answer",
  Reject: "Rejected",
  CallBusy: "Busy",
  Cancel: "Canceled",
  Interrupt: "Interrupted",
};
const WIDTH = 600, HEIGHT = 140, FOOT = 18;

export function drawFigures(element, told) {
  const average = told.AnsweredNum ? told.Duration / told.AnsweredNum : 0;
  const figures = {
    live: ["Now", count(told.LiveNum)],
    calls: ["Calls", count(told.CallNum)],
    answered: ["Answered", count(told.AnsweredNum)],
    users: ["People", count(told.UserNum)],
    most: ["Most at once", count(told.MaxConcurrentNum)],
    average: ["Average", duration(average)],
    longest: ["Longest", duration(told.MaxDuration)],
    total: ["Together", duration(told.Duration)],
  };
  element.replaceChildren(
    ...Object.entries(figures).map(([name, [label, text]]) => {
      const figure = make("div", "figure");
      figure.append(make("strong", "", text), make("span", "muted", label));
      figure.dataset.figure = name;
      return figure;
    }),
  );
}

export function drawResults(element, told) {
  const most = Math.max(1, ...Object.values(told.ResultNum));
  element.replaceChildren(
    ...Object.entries(RESULTS).map(([name, label]) => {
      const number = told.ResultNum[name] ?? 0;
      const fill = make("div", "fill");
      fill.style.width = `${(100 * number) / most}%`;
      const track = make("div", "track");
      track.append(fill);
      const row = make("li");
      row.dataset.result = name;
      row.append(make("span", "", label), track, make("span", "value", count(number)));
      return row;
    }),
  );
}

/** A bar a day, its answered part filled; days without calls are gaps. */
export function drawDays(element, told, firstDay, days) {
  const byDay = new Map(told.DayList.map((each) => [Math.round((each.Time - firstDay) / 86400), each]));
  const most = Math.max(1, ...told.DayList.map((each) => each.CallNum));
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.setAttribute("aria-label", `Calls a day, at most ${most}`);
  const step = WIDTH / days, high = HEIGHT - FOOT - 14;
  for (const [index, each] of byDay) {
    const bar = (number, kind) => {
      const height = (high * number) / most;
      const box = { x: index * step + step * 0.1, y: HEIGHT - FOOT - height, width: step * 0.8, height, rx: 2 };
      const rect = draw("rect", box);
      if (kind) rect.setAttribute("class", kind);
      return rect;
    };
    const title = draw("title", {});
    title.textContent = `${day(each.Time)}: ${count(each.CallNum)} calls, ${count(each.AnsweredNum)} answered`;
    const group = draw("g", {});
    group.append(title, bar(each.CallNum), bar(each.AnsweredNum, "answered"));
    svg.append(group);
  }
  const foot = { y: HEIGHT - 3 };
  svg.append(
    write(day(firstDay), { ...foot, x: 0 }),
    write(day(firstDay + (days - 1) * 86400), { ...foot, x: WIDTH, "text-anchor": "end" }),
    write(count(most), { x: 0, y: 11 }),
  );
  element.replaceChildren(svg);
}

/** What /healthz says of each, by its address; without any there is nothing to see. */
export function drawMediaServers(section, element, servers = {}) {
  section.hidden = !Object.keys(servers).length;
  element.replaceChildren(
    ...Object.entries(servers).map(([url, state]) => {
      const row = make("li");
      const said = state.startsWith(url) ? state.slice(url.length).trim() : state;
      row.append(make("span", "", url), make("span", state === "ok" ? "online" : "bad", said));
      return row;
    }),
  );
}

export function drawDevices(element, devices) {
  element.replaceChildren(
    ...devices.map((device) => {
      const row = make("tr");
      row.dataset.device = `${device.UserID}/${device.DeviceID}`;
      const state = make("td", device.Online ? "online" : "muted", device.Online ? "online" : "offline");
      const seen = device.Online ? `since ${moment(device.LastSeenTime)}` : moment(device.LastSeenTime);
      row.append(
        make("td", "", device.UserID),
        make("td", "", device.DeviceID),
        state,
        make("td", "", device.Model || device.Platform),
        make("td", "", device.Version),
        make("td", "", device.Address),
        make("td", "", seen),
      );
      return row;
    }),
  );
}

function make(tag, kind = "", text = "") {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text) element.textContent = text;
  return element;
}

function draw(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

function write(text, attributes) {
  const element = draw("text", attributes);
  element.textContent = text;
  return element;
}
