// SPDX-License-Identifier: GPL-3.0-or-later
/** The contacts: everybody with an account here, and who of them can be reached now. */

import { MediaType } from "../sdk/index.js";
import { byId, fillAvatar, fromTemplate, label } from "./dom.js";
import { errorText, texts } from "./messages.js";
import { notify } from "./notices.js";

export class Contacts {
  #engine;
  #call;
  #users = new Map();
  #rows = new Map();
  #refreshing = null;
  #list = byId("contact-list");
  #search = byId("contact-search");

  /** @param call {(userId, mediaType) => void} */
  constructor(engine, call) {
    this.#engine = engine;
    this.#call = call;
    engine.on("onPresence", (user) => {
      this.#users.set(user.userId, user);
      this.#render();
    });
    this.#search.addEventListener("input", () => this.#render());
  }

  /** What to call a user: the nickname, else the id. */
  nameOf(userId) {
    return this.#users.get(userId)?.nickname || userId;
  }

  /** Ask anew; a running question is waited for. */
  refresh() {
    this.#refreshing ??= this.#ask().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #ask() {
    try {
      const users = await this.#engine.getUsers({ subscribe: true });
      this.#users = new Map(users.map((user) => [user.userId, user]));
      this.#render();
    } catch (error) {
      if (this.#engine.connectionState === "online") notify(errorText(error), "error");
    }
  }

  clear() {
    this.#users.clear();
    this.#search.value = "";
    this.#render();
  }

  #render() {
    const wanted = this.#search.value.trim().toLowerCase();
    const others = [...this.#users.values()].filter(({ userId }) => userId !== this.#engine.userId);
    const shown = others
      .filter(({ userId, nickname }) => `${userId} ${nickname}`.toLowerCase().includes(wanted))
      .sort((a, b) => rank(a) - rank(b) || this.nameOf(a.userId).localeCompare(this.nameOf(b.userId)));
    const rows = shown.map((user) => this.#row(user));
    // Moving a row takes the focus out of it, so only rows that are out of place are moved.
    for (const [index, row] of rows.entries()) {
      if (this.#list.children[index] !== row) this.#list.insertBefore(row, this.#list.children[index] ?? null);
    }
    while (this.#list.children.length > rows.length) this.#list.lastElementChild.remove();
    const empty = byId("contacts-empty");
    empty.hidden = shown.length > 0;
    empty.textContent = others.length ? texts.contactsNotFound(wanted) : texts.contactsEmpty;
  }

  #row(user) {
    const row = this.#rows.get(user.userId) ?? this.#newRow(user.userId);
    const name = this.nameOf(user.userId);
    const [state, words] = presence(user);
    row.dataset.presence = state;
    fillAvatar(row.querySelector(".avatar"), user.userId, name);
    row.querySelector("strong").textContent = name;
    row.querySelector(".presence").textContent = words;
    label(row.querySelector("[data-testid=call-audio]"), texts.audioCall(name));
    label(row.querySelector("[data-testid=call-video]"), texts.videoCall(name));
    return row;
  }

  #newRow(userId) {
    const row = fromTemplate("contact-template");
    row.dataset.testid = `contact-${userId}`;
    const call = (type) => () => this.#call(userId, type);
    row.querySelector("[data-testid=call-audio]").addEventListener("click", call(MediaType.AUDIO));
    row.querySelector("[data-testid=call-video]").addEventListener("click", call(MediaType.VIDEO));
    this.#rows.set(userId, row);
    return row;
  }
}

function presence({ status, inCall }) {
  if (status !== "online") return ["offline", texts.offline];
  return inCall ? ["busy", texts.inCall] : ["online", texts.online];
}

function rank({ status }) {
  return status === "online" ? 0 : 1;
}
