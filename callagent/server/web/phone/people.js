// SPDX-License-Identifier: GPL-3.0-or-later
/** The dialog of a running call's people: who is in it, whom to invite, and the link by which others join. */

import { byId, fillAvatar, fromTemplate } from "./dom.js";
import { callLink } from "./joining.js";
import { errorText, texts } from "./messages.js";
import { notify, notifyRefused } from "./notices.js";

export class People {
  #engine;
  #contacts;
  #dialog = byId("people-dialog");
  #search = byId("people-search");
  #submit = byId("people-invite");
  #chosen = new Set();

  constructor(engine, contacts) {
    this.#engine = engine;
    this.#contacts = contacts;
    byId("people").addEventListener("click", () => this.open());
    this.#search.addEventListener("input", () => this.#render());
    this.#submit.addEventListener("click", () => this.#invite());
    byId("copy-link").addEventListener("click", () => this.#copy());
    engine.on("onStateChange", ({ state }) => {
      if (state.status !== "connected") this.#dialog.close();
      else if (this.#dialog.open) this.#render();
    });
    engine.on("onPresence", () => this.#dialog.open && this.#render());
  }

  open() {
    this.#say("");
    this.#chosen.clear();
    this.#search.value = "";
    byId("call-link").value = callLink(this.#engine.state.callId);
    byId("copy-link").textContent = texts.copyLink;
    this.#render();
    this.#dialog.showModal();
  }

  async #invite() {
    const userIdList = [...this.#chosen];
    this.#submit.disabled = true;
    this.#say("");
    try {
      const { invited = userIdList, refused = [] } = await this.#engine.inviteUser({ userIdList });
      this.#dialog.close();
      if (invited.length) notify(texts.inviting(texts.names(invited.map((userId) => this.#contacts.nameOf(userId)))));
      for (const { userId, ...why } of refused) notifyRefused(this.#contacts.nameOf(userId), why);
    } catch (error) {
      this.#say(errorText(error));
    } finally {
      this.#renderSubmit();
    }
  }

  async #copy() {
    const field = byId("call-link");
    field.select();
    await navigator.clipboard?.writeText(field.value).catch(() => {});
    byId("copy-link").textContent = texts.copied;
  }

  #render() {
    const { state, userId: own } = this.#engine;
    const present = Object.keys(state.members);
    const ringing = Object.keys(state.inviting);
    const inCall = [own, ...present, ...ringing];
    const rows = inCall.map((userId) => this.#presentRow(userId, userId === own, ringing.includes(userId)));
    byId("people-present").replaceChildren(...rows);
    const wanted = this.#search.value.trim().toLowerCase();
    const others = this.#contacts.others().filter(({ userId }) => !inCall.includes(userId));
    for (const userId of this.#chosen) if (!others.some((user) => user.userId === userId)) this.#chosen.delete(userId);
    const shown = others.filter(({ userId, nickname }) => `${userId} ${nickname}`.toLowerCase().includes(wanted));
    byId("people-candidates").replaceChildren(...shown.map((user) => this.#candidateRow(user)));
    byId("people-none").hidden = others.length > 0;
    byId("people-search-field").hidden = others.length === 0;
    this.#renderSubmit();
  }

  #say(text) {
    const line = byId("people-error");
    line.textContent = text;
    line.hidden = !text;
  }

  #renderSubmit() {
    this.#submit.disabled = this.#chosen.size === 0;
    this.#submit.textContent = texts.inviteSubmit(this.#chosen.size);
  }

  #presentRow(userId, self, ringing) {
    const row = fromTemplate("person-template");
    const name = this.#contacts.nameOf(userId);
    fillAvatar(row.querySelector(".avatar"), userId, name);
    row.querySelector("strong").textContent = self ? texts.you : name;
    row.querySelector(".presence").textContent = ringing ? texts.ringing : "";
    return row;
  }

  #candidateRow({ userId, presence, words }) {
    const row = fromTemplate("candidate-template");
    const name = this.#contacts.nameOf(userId);
    row.dataset.testid = `invite-${userId}`;
    row.dataset.presence = presence;
    fillAvatar(row.querySelector(".avatar"), userId, name);
    row.querySelector("strong").textContent = name;
    row.querySelector(".presence").textContent = words;
    const box = row.querySelector("input");
    box.checked = this.#chosen.has(userId);
    box.addEventListener("change", () => {
      if (box.checked) this.#chosen.add(userId);
      else this.#chosen.delete(userId);
      this.#renderSubmit();
    });
    return row;
  }
}
