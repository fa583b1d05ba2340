// SPDX-License-Identifier: GPL-3.0-or-later
/** The dashboard: signs in, asks every few seconds, draws. */

import { drawDays, drawDevices, drawFigures, drawMediaServers, drawResults } from "./board.js";
import { count, midnight, moment, utcOffset } from "./format.js";
import { Rest } from "./rest.js";

const EVERY_MS = 10_000;
const PER_PAGE = 500;
const KEPT = "callagent-admin";
const DEFAULT_APP = "1400000001";

const byId = (id) => document.getElementById(id);
let rest = null;
let timer = 0;

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const identity = {
    app: byId("login-app").value.trim(),
    user: byId("login-user").value.trim(),
    sig: byId("login-sig").value.trim(),
  };
  byId("login-error").textContent = "";
  try {
    await new Rest(identity).ask("device_http_srv/get_devices", { NumberPerPage: 1 });
  } catch (error) {
    byId("login-error").textContent = error.message;
    return;
  }
  sessionStorage.setItem(KEPT, JSON.stringify(identity));
  begin(identity);
});

byId("sign-out").addEventListener("click", () => signIn(""));
for (const id of ["range", "type"]) byId(id).addEventListener("change", refresh);

const kept = sessionStorage.getItem(KEPT);
if (kept) begin(JSON.parse(kept));
else signIn("");

function signIn(why) {
  clearTimeout(timer);
  rest = null;
  sessionStorage.removeItem(KEPT);
  byId("login-app").value ||= DEFAULT_APP;
  byId("login-user").value ||= "administrator";
  byId("login-sig").value = "";
  byId("login-error").textContent = why;
  byId("board").hidden = true;
  byId("login").hidden = false;
}

function begin(identity) {
  rest = new Rest(identity);
  byId("login").hidden = true;
  byId("board").hidden = false;
  refresh();
}

/** Asks now, and again later; what another sign-in or choice has overtaken is not drawn. */
async function refresh() {
  clearTimeout(timer);
  const asked = rest;
  if (!asked) return;
  const days = Number(byId("range").value), type = byId("type").value;
  const begun = midnight(days);
  try {
    const wanted = { StartTime: begun, UtcOffset: utcOffset(), ...(type ? { CallType: type } : {}) };
    const [told, devices, health] = await Promise.all([
      asked.ask("call_statistics_http_srv/get_statistics", wanted),
      allDevices(asked),
      asked.health(),
    ]);
    if (asked !== rest || days !== Number(byId("range").value) || type !== byId("type").value) return;
    drawFigures(byId("figures"), told);
    drawResults(byId("results"), told);
    drawDays(byId("days"), told, begun, days);
    drawMediaServers(byId("media"), byId("media-servers"), health.details?.media_servers);
    drawDevices(byId("devices"), devices);
    const online = devices.filter((device) => device.Online).length;
    byId("device-count").textContent = `${count(online)} of ${count(devices.length)} online`;
    byId("updated").textContent = `as of ${moment(Date.now() / 1000)}`;
    byId("problem").textContent = "";
  } catch (error) {
    if (asked !== rest) return;
    if (Rest.mustSignIn(error)) {
      signIn(error.message);
      return;
    }
    byId("problem").textContent = `The service does not answer: ${error.message}`;
  }
  timer = setTimeout(refresh, EVERY_MS);
}

async function allDevices(asked) {
  const found = [];
  for (let page = 1; ; page += 1) {
    const told = await asked.ask("device_http_srv/get_devices", { NumberPerPage: PER_PAGE, Page: page });
    found.push(...told.DeviceList);
    if (told.Page === 0) return found;
  }
}
