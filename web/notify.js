// SPDX-License-Identifier: ISC
// Notices of the system while nobody looks. One tab of this browser tells, and only when none is looked at.
// The setting "notify": "off", "hidden" (that something came), "name" (from whom), "text" (and what).
import {h, icon, replace} from "./dom.js";
import {setting, setSetting} from "./keep.js";
import {model} from "./model.js";
import {nameIn, posts} from "./posts.js";
import {t} from "./words.js";
import {excerpt} from "./views/line.js";

const TELLER = "retrogate.tells", LOOKED_AT = "retrogate.looked-at";
let teller = !navigator.locks; // without locks (no TLS off this machine) each hidden tab tells
let letGo = null;

export async function askNotifications() {
  if (!("Notification" in globalThis)) return "unsupported";
  return Notification.permission === "default" ? Notification.requestPermission() : Notification.permission;
}

/** A tab that is looked at says so by holding a lock that all tabs can see. */
function looked() {
  const now = !document.hidden && document.hasFocus();
  if (!navigator.locks || now === (letGo !== null)) return;
  if (now) {
    const until = new Promise((resolve) => (letGo = resolve));
    navigator.locks.request(LOOKED_AT, {mode: "shared"}, () => until);
  } else {
    letGo();
    letGo = null;
  }
}

async function somebodyLooks() {
  if (!document.hidden && document.hasFocus()) return true;
  if (!navigator.locks) return false;
  return (await navigator.locks.query()).held.some(({name}) => name === LOOKED_AT);
}

/** {from, text, tag, path: what a click opens} */
async function tell({from, text, tag, path}, app) {
  const how = setting("notify", "name");
  if (!teller || how === "off" || !("Notification" in globalThis) || Notification.permission !== "granted") return;
  if (await somebodyLooks()) return;
  const title = how === "hidden" ? "retrogate" : from;
  const options = {
    body: how === "text" ? excerpt(text, 200) : t("notify.new"), icon: "/icon-192.png",
    tag: how === "hidden" ? "retrogate" : `retrogate-${tag}`, data: {path},
  };
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker) {
    await worker.showNotification(title, options);
    return;
  }
  const notice = new Notification(title, options);
  notice.onclick = () => {
    focus();
    app.go(path);
    notice.close();
  };
}

/** Once there is something to tell and nobody was asked yet: a quiet line, never a question of the browser. */
export function notifyHint() {
  if (!("Notification" in globalThis) || Notification.permission !== "default" || setting("notify-hint")) return null;
  const done = () => {
    setSetting("notify-hint", true);
    node.remove();
  };
  const node = h("p.notify-hint", {}, icon("bell"), h("span", {}, t("notify.hint")),
    h("div.row", {}, h("button.text-button", {type: "button", onclick: async () => {
      await askNotifications();
      done();
    }}, t("notify.allow")),
    h("button.text-button", {type: "button", onclick: done}, t("notify.no"))));
  return node;
}

export function watchNotifications(app) {
  navigator.locks?.request(TELLER, () => {
    teller = true;
    return new Promise(() => {}); // until this tab is closed
  });
  for (const type of ["focus", "blur"]) addEventListener(type, looked);
  document.addEventListener("visibilitychange", looked);
  looked();
  model.on("incoming", ({text}, {id, name, handle}) => tell({from: name || handle, text, tag: id, path: `/chat/${handle}`}, app));
  posts.on("incoming", ({seq, from: [who], subject, preview}) => tell({from: who ? nameIn(who) : t("app.posts"), text: subject || preview,
    tag: `post-${seq}`, path: `/posts/${seq}`}, app));
  navigator.serviceWorker?.addEventListener("message", ({data}) => data?.path && app.go(data.path));
}
