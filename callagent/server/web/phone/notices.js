// SPDX-License-Identifier: GPL-3.0-or-later
/** Short messages that come and go; screen readers read them out. */

import { byId } from "./dom.js";
import { errorText } from "./messages.js";

const SHOWN_MS = 7000;

/** Show a sentence. @param tone "info" or "error" */
export function notify(text, tone = "info") {
  const list = byId("notices");
  for (const shown of list.children) if (shown.textContent === text) shown.remove();
  const notice = document.createElement("p");
  notice.className = `toast ${tone}`;
  notice.textContent = text;
  notice.addEventListener("click", () => notice.remove());
  list.append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
}

/** Say why one of several is not called. @param why {{code, message}} */
export function notifyRefused(name, why) {
  notify(`${name}: ${errorText(why)}`, "error");
}
