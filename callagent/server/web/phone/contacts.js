// SPDX-License-Identifier: GPL-3.0-or-later
/** The contacts: everybody with an account here, who of them can be reached now, and who is chosen to be called. */

import { MediaType } from "../sdk/index.js";
import { byId, fillAvatar, fromTemplate, label } from "./dom.js";
import { errorText, texts } from "./messages.js";
import { notify } from "./notices.js";

export class Contacts {
  #engine;
  #call;
  #users = new Map();
  #rows = new Map();
  #chosen = new Set();
  #refreshing = null;
  #list = byId("contact-list");
  #search = byId("contact-search");

  /** @param call {(userIds: string[], mediaType) => void} */
  constructor(engine, call) {
    this.#engine = engine;
    this.#call = call;
    engine.on("onPresence", (user) => {
      this.#users.set(user.userId, user);
      this.#render();
    });
    this.#search.addEventListener("input", () => this.#render());
    byId("chosen-none").addEventListener("click", () => this.#choose([]));
    byId("chosen-audio").addEventListener("click", () => this.#callChosen(MediaType.AUDIO));
    byId("chosen-video").addEventListener("click", () => this.#callChosen(MediaType.VIDEO));
  }

  /** What to call a user: the nickname, else the id. */
  nameOf(userId) {
    return this.#users.get(userId)?.nickname || userId;
  }

  /** Everybody else as {userId, nickname, presence, words}, those who are there first. */
  others() {
    return [...this.#users.values()]
      .filter(({ userId }) => userId !== this.#engine.userId)
      .sort((a, b) => rank(a) - rank(b) || this.nameOf(a.userId).localeCompare(this.nameOf(b.userId)))
      .map((user) => {
        const [presence, words] = presenceOf(user);
        return { ...user, presence, words };
      });
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
    this.#choose([]);
  }

  #render() {
    const wanted = this.#search.value.trim().toLowerCase();
    const others = this.others();
    const shown = others.filter(({ userId, nickname }) => `${userId} ${nickname}`.toLowerCase().includes(wanted));
    const rows = shown.map((user) => this.#row(user));
    // Moving a row takes the focus out of it, so only rows that are out of place are moved.
    for (const [index, row] of rows.entries()) {
      if (this.#list.children[index] !== row) this.#list.insertBefore(row, this.#list.children[index] ?? null);
    }
    while (this.#list.children.length > rows.length) this.#list.lastElementChild.remove();
    const empty = byId("contacts-empty");
    empty.hidden = shown.length > 0;
    empty.textContent = others.length ? texts.contactsNotFound(wanted) : texts.contactsEmpty;
    this.#renderChosen(others);
  }

  #renderChosen(others) {
    const count = this.#chosen.size;
    byId("chosen").hidden = count === 0;
    byId("chosen-count").textContent = texts.chosen(count);
    byId("choose-hint").hidden = count > 0 || others.length < 2;
  }

  #choose(userIds) {
    this.#chosen = new Set(userIds);
    this.#render();
  }

  #toggle(userId) {
    if (!this.#chosen.delete(userId)) this.#chosen.add(userId);
    this.#render();
  }

  #callChosen(mediaType) {
    const userIds = [...this.#chosen];
    this.#choose([]);
    this.#call(userIds, mediaType);
  }

  #row(user) {
    const row = this.#rows.get(user.userId) ?? this.#newRow(user.userId);
    const name = this.nameOf(user.userId);
    const chosen = this.#chosen.has(user.userId);
    row.dataset.presence = user.presence;
    row.dataset.chosen = String(chosen);
    const choice = row.querySelector(".choice");
    choice.setAttribute("aria-pressed", String(chosen));
    choice.setAttribute("aria-label", `${texts.choose(name)}, ${user.words}`);
    fillAvatar(row.querySelector(".avatar"), user.userId, name);
    row.querySelector("strong").textContent = name;
    row.querySelector(".presence").textContent = user.words;
    label(row.querySelector("[data-testid=call-audio]"), texts.audioCall(name));
    label(row.querySelector("[data-testid=call-video]"), texts.videoCall(name));
    return row;
  }

  #newRow(userId) {
    const row = fromTemplate("contact-template");
    row.dataset.testid = `contact-${userId}`;
    const call = (type) => () => this.#call([userId], type);
    row.querySelector(".choice").addEventListener("click", () => this.#toggle(userId));
    row.querySelector("[data-testid=call-audio]").addEventListener("click", call(MediaType.AUDIO));
    row.querySelector("[data-testid=call-video]").addEventListener("click", call(MediaType.VIDEO));
    this.#rows.set(userId, row);
    return row;
  }
}

function presenceOf({ status, inCall }) {
  if (status !== "online") return ["offline", texts.offline];
  return inCall ? ["busy", texts.inCall] : ["online", texts.online];
}

function rank({ status }) {
  return status === "online" ? 0 : 1;
}
