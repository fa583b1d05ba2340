// SPDX-License-Identifier: GPL-3.0-or-later
/** The web phone: puts the call engine, the devices and the screens together. */

import { CallEngine, ErrorCode } from "../sdk/index.js";
import * as account from "./account.js";
import { CallScreen } from "./callscreen.js";
import { Contacts } from "./contacts.js";
import { Devices } from "./devices.js";
import { byId, fillAvatar, fillTexts } from "./dom.js";
import { History } from "./history.js";
import { JoinDialog, callFromLink } from "./joining.js";
import { LoginForm } from "./login.js";
import { errorText, texts } from "./messages.js";
import { notify } from "./notices.js";
import { People } from "./people.js";
import { Ringer } from "./ringer.js";
import { Settings } from "./settings.js";

const LOGIN_RETRY_MS = 3000;
const SCREENS = ["insecure", "login", "home", "call"];

function show(screen) {
  for (const name of SCREENS) byId(`screen-${name}`).hidden = name !== screen;
  document.body.dataset.screen = screen;
}

function refuseInsecure() {
  const address = `https://${location.hostname}:8443/phone/`;
  byId("insecure-text").textContent = texts.insecure(address);
  const link = byId("insecure-link");
  link.href = address + location.hash;
  link.textContent = texts.insecureLink;
  show("insecure");
}

class Phone {
  #retry = null;
  #signedInOnce = false;

  /** The call of a link that was followed, until somebody is signed in. */
  #linkedCall;

  constructor(deviceId, linkedCall) {
    this.#linkedCall = linkedCall;
    this.devices = new Devices();
    this.engine = new CallEngine({ source: this.devices, deviceId, model: "web phone" });
    this.form = new LoginForm((given) => this.login(given));
    this.contacts = new Contacts(this.engine, (...args) => this.call(...args));
    this.history = new History(this.engine, this.contacts, (...args) => this.call(...args));
    this.callScreen = new CallScreen({
      engine: this.engine,
      devices: this.devices,
      ringer: new Ringer(),
      nameOf: (userId) => this.contacts.nameOf(userId),
      call: (...args) => this.call(...args),
      onShown: (shown) => show(shown ? "call" : this.engine.connectionState === "closed" ? "login" : "home"),
    });
    this.people = new People(this.engine, this.contacts);
    this.settings = new Settings(this.devices, this.engine);
    this.joinDialog = new JoinDialog((callId) => this.join(callId));
    this.#listen();
  }

  /** Sign in. @param options.patient keep trying while the service cannot be reached */
  async login(given, { patient = false } = {}) {
    clearTimeout(this.#retry);
    this.form.busy(true);
    try {
      const hello = await this.engine.login({ ...given, url: account.signallingUrl() });
      account.remember(given);
      this.#signedIn(given.userId, hello.nickname);
      this.#joinLinked();
    } catch (error) {
      show("login");
      this.form.fill(given);
      if (patient && error.code === ErrorCode.SIGNALING_SEND_FAIL) {
        this.form.fail(texts.loginWaiting);
        this.#retry = setTimeout(() => this.login(given, { patient }), LOGIN_RETRY_MS);
      } else this.form.fail(errorText(error));
    } finally {
      this.form.busy(false);
    }
  }

  async call(userIds, mediaType) {
    await this.#attempt(() => this.callScreen.start(userIds, mediaType));
  }

  /** Enter a running call. */
  async join(callId) {
    await this.#attempt(() => this.callScreen.join(callId));
  }

  /** For tests and integrators: what the phone shows. */
  state() {
    return {
      screen: document.body.dataset.screen,
      connection: this.engine.connectionState,
      userId: this.engine.userId,
      sessionId: this.engine.sessionId,
      call: this.engine.state,
      microphoneOn: this.engine.microphoneOn,
      cameraOn: this.engine.cameraOn,
      ...this.callScreen.summary(),
    };
  }

  async #attempt(action) {
    try {
      await action();
    } catch (error) {
      notify(errorText(error), "error");
    }
  }

  #signedIn(userId, nickname) {
    byId("me-name").textContent = nickname || userId;
    fillAvatar(byId("me-avatar"), userId, nickname);
    this.#signedInOnce = true;
    this.form.fail("");
    if (!this.callScreen.shown) show("home");
    this.contacts.refresh();
    this.history.refresh();
  }

  #listen() {
    const { engine } = this;
    engine.on("onConnectionChange", ({ state }) => this.#connection(state));
    engine.on("onLoggedOut", (error) => this.#loggedOut(error));
    engine.on("onError", (error) => notify(errorText(error), "error"));
    engine.on("onMissedCall", ({ callerId }) => {
      notify(texts.missedCall(this.contacts.nameOf(callerId)));
      this.history.refresh();
    });
    for (const end of ["onCallEnd", "onCallNotConnected"]) engine.on(end, () => this.history.refresh());
    byId("sign-out").addEventListener("click", () => {
      account.forget();
      engine.logout();
    });
    for (const button of document.querySelectorAll("[data-opens=settings]")) {
      button.addEventListener("click", () => this.settings.open());
    }
    for (const button of document.querySelectorAll("[data-closes]")) {
      button.addEventListener("click", () => button.closest("dialog").close());
    }
    for (const tab of ["contacts", "history"]) {
      byId(`tab-${tab}`).addEventListener("click", () => this.#tab(tab));
    }
    addEventListener("hashchange", () => this.#followLink());
    addEventListener("pagehide", () => engine.logout());
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
    document.addEventListener("visibilitychange", () => document.hidden || engine.probe());
  }

  #connection(state) {
    const status = byId("me-status");
    status.textContent = texts.connection[state];
    status.dataset.state = state;
    this.callScreen.connectionChanged();
    if (state === "closed") this.#signedInOnce = false;
    if (state === "online" && this.#signedInOnce) {
      // Presence is of the moment: what changed while the connection was away has to be asked for.
      this.contacts.refresh();
      this.history.refresh();
    }
  }

  #loggedOut({ code, message }) {
    const known = account.remembered();
    this.callScreen.close();
    show("login");
    this.contacts.clear();
    if (known) this.form.fill(known);
    else this.form.clear();
    this.form.fail(code === ErrorCode.INIT_FAIL ? "" : errorText({ code, message }));
  }

  #joinLinked() {
    const callId = this.#linkedCall;
    this.#linkedCall = null;
    if (callId) this.join(callId);
  }

  #followLink() {
    this.#linkedCall = callFromLink() ?? this.#linkedCall;
    const linked = account.fromLink();
    if (!linked) {
      if (this.engine.connectionState === "online") this.#joinLinked();
      return;
    }
    this.engine.logout();
    this.login(linked, { patient: true });
  }

  #tab(name) {
    document.body.dataset.tab = name;
    for (const tab of ["contacts", "history"]) {
      if (tab === name) byId(`tab-${tab}`).setAttribute("aria-current", "page");
      else byId(`tab-${tab}`).removeAttribute("aria-current");
    }
  }
}

async function start() {
  fillTexts();
  document.body.dataset.tab = "contacts";
  if (!window.isSecureContext || !navigator.mediaDevices) {
    refuseInsecure();
    return;
  }
  const linkedCall = callFromLink();
  const known = account.fromLink() ?? account.remembered();
  const phone = new Phone(await account.deviceId(), linkedCall);
  window.callagentPhone = { engine: phone.engine, state: () => phone.state() };
  if (known) await phone.login(known, { patient: true });
  else show("login");
}

start();
