// SPDX-License-Identifier: GPL-3.0-or-later
/** The calls of the past, newest first. */

import { MediaType } from "../sdk/index.js";
import { byId, fromTemplate, label, setIcon } from "./dom.js";
import { duration, when } from "./format.js";
import { errorText, texts } from "./messages.js";
import { notify } from "./notices.js";

const PAGE = 30;
const ICONS = { missed: "missed", incoming: "in", outgoing: "out" };

export class History {
  #engine;
  #contacts;
  #call;
  #calls = [];
  #loading = Promise.resolve();
  #list = byId("history-list");
  #more = byId("history-more");

  /** @param call {(userIds: string[], mediaType) => void} */
  constructor(engine, contacts, call) {
    this.#engine = engine;
    this.#contacts = contacts;
    this.#call = call;
    this.#more.addEventListener("click", () => this.#load(this.#calls.at(-1)?.beginTime));
  }

  /** Load the newest; one question at a time, the last one asked after the last call's end. */
  refresh() {
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  async #load(before) {
    try {
      const page = await this.#engine.getHistory({ limit: PAGE, before });
      this.#calls = before ? [...this.#calls, ...page] : page;
      this.#more.hidden = page.length < PAGE;
      this.#render();
    } catch (error) {
      if (this.#engine.connectionState === "online") notify(errorText(error), "error");
    }
  }

  #render() {
    this.#list.replaceChildren(...this.#calls.map((call) => this.#row(call)));
    byId("history-empty").hidden = this.#calls.length > 0;
  }

  #row(call) {
    const { callId, inviter, inviteList, mediaType, result, callResult, beginTime, totalTime } = call;
    const own = this.#engine.userId;
    // Who called first, then everybody else who was called.
    const others = [...new Set([inviter, ...inviteList])].filter((userId) => userId !== own);
    const name = texts.names(others.map((userId) => this.#contacts.nameOf(userId)));
    const row = fromTemplate("history-template");
    row.dataset.result = result;
    row.dataset.testid = `history-${callId}`;
    setIcon(row.querySelector(".direction"), ICONS[result] ?? ICONS.incoming);
    row.querySelector("strong").textContent = name;
    row.querySelector(".who .muted").textContent = outcome(result, callResult, totalTime);
    const time = row.querySelector("time");
    time.textContent = when(beginTime);
    time.dateTime = new Date(beginTime * 1000).toISOString();
    const back = row.querySelector("button");
    label(back, texts.callBack(name));
    setIcon(back, mediaType === MediaType.VIDEO ? "video" : "phone");
    back.addEventListener("click", () => this.#call(others, mediaType));
    return row;
  }
}

function outcome(result, callResult, totalTime) {
  const kind = texts[result] ?? "";
  if (totalTime > 0) return `${kind} · ${duration(totalTime)}`;
  if (result === "missed" || !texts.results[callResult]) return kind;
  return `${kind} · ${texts.results[callResult]}`;
}
