// SPDX-License-Identifier: GPL-3.0-or-later
/** Entering a call that runs already, by its link or its id. */

import { byId } from "./dom.js";
import { texts } from "./messages.js";

const CALL_ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/** The address that lets somebody with an account here enter the call. */
export function callLink(callId) {
  return `${location.origin}${location.pathname}#join=${callId}`;
}

/** The call in this page's address, `#join=ID`, or null. It is taken out: reloading is not joining again. */
export function callFromLink() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const callId = callIdIn(fields.get("join") ?? "");
  if (!callId) return null;
  fields.delete("join");
  const rest = fields.toString();
  history.replaceState(null, "", location.pathname + location.search + (rest && `#${rest}`));
  return callId;
}

function callIdIn(text) {
  return text.match(CALL_ID)?.[0].toLowerCase() ?? null;
}

/** The dialog that asks which call. */
export class JoinDialog {
  #dialog = byId("join-dialog");
  #field = byId("join-field");
  #error = byId("join-error");

  /** @param join {(callId: string) => void} */
  constructor(join) {
    byId("open-join").addEventListener("click", () => this.open());
    byId("join-form").addEventListener("submit", (event) => {
      const callId = callIdIn(this.#field.value);
      if (callId) {
        join(callId);
        return;
      }
      event.preventDefault();
      this.#say(texts.joinWrong);
      this.#field.focus();
    });
  }

  open() {
    this.#field.value = "";
    this.#say("");
    this.#dialog.showModal();
    this.#field.focus();
  }

  #say(text) {
    this.#error.textContent = text;
    this.#error.hidden = !text;
    this.#field.setAttribute("aria-invalid", String(Boolean(text)));
  }
}
