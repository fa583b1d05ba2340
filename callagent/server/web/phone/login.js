// SPDX-License-Identifier: GPL-3.0-or-later
/** The sign-in form. */

import { DEFAULT_APP_ID } from "./account.js";
import { byId } from "./dom.js";
import { texts } from "./messages.js";

const USER_ID = /^[A-Za-z0-9_-]{1,32}$/;

export class LoginForm {
  #user = byId("login-user");
  #sig = byId("login-sig");
  #app = byId("login-app");
  #submit = byId("login-submit");
  #error = byId("login-error");

  /** @param onSubmit {(account: {sdkAppId, userId, userSig}) => void} */
  constructor(onSubmit) {
    this.#app.value = String(DEFAULT_APP_ID);
    byId("login-ca").hidden = location.protocol !== "https:";
    byId("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const account = this.#read();
      if (account) onSubmit(account);
    });
    this.#sig.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.#submit.click();
      }
    });
  }

  fill({ sdkAppId, userId, userSig }) {
    this.#user.value = userId;
    this.#sig.value = userSig;
    this.#app.value = String(sdkAppId);
  }

  clear() {
    this.fill({ sdkAppId: DEFAULT_APP_ID, userId: "", userSig: "" });
  }

  busy(busy) {
    this.#submit.disabled = busy;
    this.#submit.textContent = busy ? texts.loginBusy : texts.loginSubmit;
  }

  /** Say what is wrong; nothing with an empty text. */
  fail(text, field = null) {
    this.#error.textContent = text;
    this.#error.hidden = !text;
    for (const input of [this.#user, this.#sig, this.#app]) {
      input.setAttribute("aria-invalid", String(input === field));
    }
    field?.focus();
  }

  #read() {
    const userId = this.#user.value.trim();
    const userSig = this.#sig.value.trim();
    const sdkAppId = Number(this.#app.value.trim());
    if (!USER_ID.test(userId)) this.fail(texts.loginNeedsUser, this.#user);
    else if (!userSig) this.fail(texts.loginNeedsSig, this.#sig);
    else if (!Number.isInteger(sdkAppId) || sdkAppId < 1) {
      this.#app.closest("details").open = true;
      this.fail(texts.loginNeedsApp, this.#app);
    } else {
      this.fail("");
      return { sdkAppId, userId, userSig };
    }
    return null;
  }
}
