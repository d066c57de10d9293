// SPDX-License-Identifier: ISC
// What several views are made of.
import {causeOf, copyButton, h, icon, replace, told, uniqueId} from "../dom.js";
import {link} from "../link.js";
import {fitsQr, showQr} from "../qr.js";
import {t} from "../words.js";

export const card = (title, ...children) =>
  h("section.card.stack", {}, title ? h("h2", {}, title) : null, children);

export const hint = (...children) => h("p.hint", {}, children);

export const button = (text, onclick, {kind = "", sign, ...props} = {}) =>
  h("button.button", {type: "button", class: kind, onclick, ...props}, sign ? icon(sign) : null, h("span", {}, text));

/** A state as a word with a sign: never by colour alone. */
const SIGNS = {good: "check", warn: "clock", bad: "alert"};
export const badge = (text, kind = "", sign = SIGNS[kind]) =>
  h("span.badge", {class: kind}, sign ? icon(sign) : null, text);

export const notice = (kind, ...children) =>
  h("div.notice", {class: kind}, icon(kind === "good" ? "check" : kind ? "alert" : "info"), h("div", {}, children));

export function field(label, input, help) {
  const id = input.id || uniqueId("field");
  input.id = id;
  if (help) input.setAttribute("aria-describedby", `${id}-help`);
  return h("div.field", {}, h("label", {for: id}, label), input, help ? h(`p.hint#${id}-help`, {}, help) : null);
}

/** options: [[value, text], …] */
export const choice = (options, value, onchange) =>
  h("select", {onchange: onchange && ((event) => onchange(event.target.value, event.target))},
    options.map(([key, text]) => h("option", {value: String(key), selected: String(key) === String(value)}, text)));

export const toggle = (label, checked, onchange, help) => {
  const input = h("input", {type: "checkbox", role: "switch", checked, onchange: () => onchange(input.checked, input)});
  return h("label.toggle", {}, input, h("span", {}, label, help ? h("small.hint", {}, help) : null));
};

/** [[name, value], …]; rows without a value are left out. */
export const facts = (rows) => h("dl.facts", {},
  rows.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

/** In groups of four, so that two people can read it to each other. */
export const fingerprintOf = (fingerprint) =>
  h("code.fingerprint", {dir: "ltr"}, fingerprint.match(/.{1,4}/g).map((group) => h("span", {}, group)));

/** A long text to hand on: shown folded, copied whole, as a QR code where it fits one. */
export function handout(label, text, {qr = true} = {}) {
  return h("div.handout", {},
    field(label, h("textarea.mono", {readonly: true, rows: 3, dir: "ltr", spellcheck: "false", value: text,
      onfocus: (event) => event.target.select()})),
    h("div.row", {}, copyButton(text),
      qr && fitsQr(text) ? button(t("qr.show"), () => showQr(text, label), {sign: "qr"}) : null,
      shareButton(text, label)));
}

export const shareButton = (text, title) => navigator.share
  ? button(t("qr.share"), () => navigator.share({title, text}).catch(() => {}), {sign: "share"}) : null;

/** Runs the work at once and again and again, only while the page is seen; gives what ends it. */
export function every(ms, work) {
  let timer = 0, over = false, running = false;
  const turn = async () => {
    clearTimeout(timer);
    if (over || running || document.hidden) return;
    running = true;
    try {
      if (link.state === "online") await work();
    } catch { /* the next turn tries again; the state line says when the link is gone */ }
    running = false;
    if (!over) timer = setTimeout(turn, ms);
  };
  document.addEventListener("visibilitychange", turn);
  turn();
  return Object.assign(() => {
    over = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", turn);
  }, {now: turn});
}

/** A command whose failure is said: its answer, or undefined. */
export const attempt = (command, args) => told(link.ask(command, args));

/** Fills the node with what the work gives; a failure is shown there, with a way to try again. */
export async function load(node, work) {
  node.setAttribute("aria-busy", "true");
  try {
    replace(node, await work());
  } catch (failure) {
    replace(node, notice("bad", h("p", {}, causeOf(failure)), h("div", {}, button(t("app.again"), () => load(node, work)))));
  }
  node.removeAttribute("aria-busy");
}

/** An element that loads itself. */
export function loaded(work) {
  const node = h("div.stack");
  load(node, work);
  return node;
}

/** Children that stay the same elements while a list changes, so that focus and what is open stay. */
export function keyed(parent, keyOf, make) {
  const known = new Map();
  return (list) => {
    const wanted = new Set(list.map(keyOf));
    for (const [key, row] of known) {
      if (wanted.has(key)) continue;
      row.element.remove();
      known.delete(key);
    }
    list.forEach((entry, index) => {
      const key = keyOf(entry);
      if (!known.has(key)) known.set(key, make(entry));
      const row = known.get(key);
      row.update?.(entry);
      // moveBefore, where there is one, keeps the focus within what moves.
      if (parent.children[index] !== row.element)
        parent[row.element.isConnected && parent.moveBefore ? "moveBefore" : "insertBefore"](row.element,
          parent.children[index] ?? null);
    });
  };
}

/** When there is nothing yet: why, and what to do about it. */
export const empty = (sign, text, action) => h("div.empty", {}, icon(sign), h("p", {}, text), action ?? null);

export const lead = (text) => h("p.lead", {}, text);
