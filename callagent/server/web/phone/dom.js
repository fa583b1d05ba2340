// SPDX-License-Identifier: GPL-3.0-or-later
/** The page's elements and how texts, avatars and icons get into them. */

import { texts } from "./messages.js";

/** The element with that id; a missing one is a mistake in index.html. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}

/** Put the texts of messages.js where index.html names them. */
export function fillTexts(root = document) {
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = texts[element.dataset.text];
  }
  for (const element of root.querySelectorAll("[data-label]")) label(element, texts[element.dataset.label]);
  for (const element of root.querySelectorAll("[data-placeholder]")) {
    element.placeholder = texts[element.dataset.placeholder];
  }
}

/** A name for screen readers and a tool tip for the mouse. */
export function label(button, text) {
  button.setAttribute("aria-label", text);
  button.title = text;
}

/** Text of a round button, and its icon. */
export function face(button, text, icon) {
  button.querySelector("span").textContent = text;
  setIcon(button, icon);
}

export function setIcon(element, icon) {
  element.querySelector("use").setAttribute("href", `#i-${icon}`);
}

/** Initials on a colour of the user's own. */
export function fillAvatar(element, userId, name) {
  const words = (name || userId).split(/[\s_-]+/).filter(Boolean);
  const initials = words.length > 1 ? words[0][0] + words[1][0] : (words[0] ?? "?").slice(0, 2);
  element.textContent = initials.toUpperCase();
  element.style.setProperty("--hue", String(hueOf(userId)));
}

const STACKED = 3;

/** The avatars of one or several people, the first few of them, in an element for them. */
export function fillAvatars(element, userIds, nameOf) {
  const shown = userIds.slice(0, STACKED);
  while (element.children.length < shown.length) element.append(fromTemplate("avatar-template"));
  while (element.children.length > shown.length) element.lastElementChild.remove();
  for (const [index, userId] of shown.entries()) fillAvatar(element.children[index], userId, nameOf(userId));
}

/** Spread so that neighbouring names (kiosk-1, kiosk-2) get colours far apart: FNV-1a times the golden angle. */
function hueOf(text) {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  return ((hash >>> 0) % 1024) * 137.508 % 360;
}

/** An empty copy of the first element in a template. */
export function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}
