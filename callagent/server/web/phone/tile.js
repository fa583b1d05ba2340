// SPDX-License-Identifier: GPL-3.0-or-later
/** One person on the stage: picture or avatar, name, and what is to be known of them. */

import { NetworkQuality } from "../sdk/index.js";
import { fillAvatar, fromTemplate, label } from "./dom.js";
import { texts } from "./messages.js";

/** Loud enough to be speech: a quiet room stays below. */
const SPEAKING_VOLUME = 12;

export class Tile {
  element;
  video;
  #avatar;
  #name;
  #state;
  #zoom;
  #pictureSeen = false;

  /**
   * @param onChange {() => void} the picture came or changed its size
   * @param onZoom {() => void} the person wants it large, or not any more
   */
  constructor(userId, { onChange, onZoom, self = false }) {
    this.element = fromTemplate("tile-template");
    this.element.classList.add(self ? "self" : "remote");
    this.element.dataset.testid = self ? "tile-self" : `tile-${userId}`;
    const find = (selector) => this.element.querySelector(selector);
    this.video = find("video");
    this.#avatar = find(".avatar");
    this.#name = find(".tile-name strong");
    this.#state = find(".tile-state");
    this.#zoom = find(".tile-zoom");
    this.#zoom.addEventListener("click", onZoom);
    this.video.addEventListener("resize", onChange);
    this.video.addEventListener("loadeddata", () => {
      this.#pictureSeen = true;
      onChange();
    });
    if (self) {
      this.video.muted = true;
      this.video.id = "local-video";
      this.video.dataset.testid = "local-video";
    } else this.video.dataset.testid = "remote-video";
  }

  /** Whether there is a picture to see. */
  get hasPicture() {
    return this.#pictureSeen && this.video.videoWidth > 0;
  }

  /** @param rectangle {{left, top, width, height} | null} on the stage; null: the style sheet decides */
  place(rectangle) {
    for (const side of ["left", "top", "width", "height"]) {
      this.element.style[side] = rectangle ? `${Math.round(rectangle[side])}px` : "";
    }
  }

  /**
   * @param person.userId {string}
   * @param person.name {string}
   * @param person.audio {boolean} whether the microphone sends
   * @param person.picture {boolean} whether to show the picture
   * @param person.note {string} what is to be said below the avatar, such as that it rings
   * @param person.ringing {boolean}
   * @param person.quality {number}
   * @param person.large {boolean} whether it is the large one
   * @param person.choosable {boolean} whether it may be made large
   */
  render({ userId, name, audio, picture, note, ringing = false, quality, large, choosable }) {
    const { dataset } = this.element;
    fillAvatar(this.#avatar, userId, name);
    this.#name.textContent = name;
    set(this.#state, note);
    dataset.picture = String(picture);
    dataset.ringing = String(ringing);
    dataset.muted = String(!audio && !ringing);
    dataset.large = String(large);
    dataset.weak = String(quality >= NetworkQuality.POOR);
    this.#zoom.hidden = !choosable;
    label(this.#zoom, large ? texts.showAll : texts.enlarge(name));
    this.#zoom.setAttribute("aria-pressed", String(large));
    const said = [name, !audio && !ringing && texts.peerMuted, note, dataset.weak === "true" && texts.weakNetwork];
    this.element.setAttribute("aria-label", said.filter(Boolean).join(", "));
  }

  /** @param volume {number} 0 to 100 */
  hear(volume) {
    this.element.dataset.speaking = String(volume >= SPEAKING_VOLUME);
  }

  remove() {
    this.video.srcObject = null;
    this.element.remove();
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}
