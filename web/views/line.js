// SPDX-License-Identifier: ISC
// One line of a conversation and the small marks around it.
import {h, icon, sentence} from "../dom.js";
import {link} from "../link.js";
import {moment, said, t, time} from "../words.js";

const STATES = {
  "can talk": {icon: "check", kind: "good", word: "state.can_talk"},
  connecting: {icon: "refresh", kind: "warn", word: "state.connecting"},
  "no tunnel": {icon: "offline", kind: "", word: "state.no_tunnel"},
  "closed by peer": {icon: "close", kind: "bad", word: "state.closed_by_peer"},
  refused: {icon: "alert", kind: "bad", word: "state.refused"},
  expired: {icon: "clock", kind: "bad", word: "state.expired"},
};

const UNKNOWN = {icon: "offline", kind: "", word: "state.unknown"};

/** Without the gateway nobody here knows: what was true when it went away is no promise. */
export function stateMark({state, reason}) {
  if (link.state === "offline") return markOf(UNKNOWN, t("offline.no_way"));
  return markOf(STATES[state] ?? STATES["no tunnel"], said(reason) ?? reason);
}

const markOf = ({icon: sign, kind, word}, title) =>
  h("span.state-mark", {class: kind, title: title || null}, icon(sign), h("span", {}, t(word)));

const DELIVERIES = {
  waiting: {icon: "clock", word: "chat.waiting"},
  queued: {icon: "clock", word: "chat.queued"},
  sent: {icon: "tick", word: "chat.sent"},
  "not-confirmed": {icon: "unsure", word: "chat.not_confirmed"},
  delivered: {icon: "checks", word: "chat.delivered", kind: "good"},
  failed: {icon: "alert", word: "chat.failed", kind: "bad"},
  refused: {icon: "alert", word: "chat.failed", kind: "bad"},
};

export function deliveryMark({delivery}) {
  const known = DELIVERIES[delivery];
  if (!known) return null;
  return h("span.delivery", {class: known.kind ?? "", title: t(known.word)}, icon(known.icon, t(known.word)));
}

/** The beginning of a line, for lists. */
export function excerpt(text, length = 120) {
  const flat = text.slice(0, length * 2).replace(/\s+/g, " ").trim();
  const letters = [...flat];
  return letters.length > length ? `${letters.slice(0, length).join("")}…` : flat;
}

// Only these are ever clickable. What closes a sentence is not part of a link.
const LINK = /\b(?:https?|retroshare):\/\/[^\s<>"'`\u202a-\u202e\u2066-\u2069]+/gi;
const TAIL = /[.,;:!?)\]}»”’]+$/u;

function trimmed(found) {
  let end = found.length - (found.match(TAIL)?.[0].length ?? 0);
  // A bracket that was opened inside belongs to it.
  while (end < found.length && found[end] === ")" && found.slice(0, end).split("(").length > found.slice(0, end).split(")").length) end++;
  return found.slice(0, end);
}

/** Text as text, with links of the kinds above. openLink(url) takes the person to the open box, which asks first. */
export function linked(text, openLink) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const url = trimmed(match[0]);
    parts.push(text.slice(from, match.index));
    if (url.toLowerCase().startsWith("retroshare:")) {
      parts.push(h("button.text-link", {type: "button", dir: "ltr", onclick: () => openLink(url)}, url));
    } else if (URL.canParse(url)) {
      parts.push(h("a.text-link", {href: url, target: "_blank", rel: "noopener noreferrer", dir: "ltr"}, url));
    } else parts.push(url);
    from = match.index + url.length;
  }
  parts.push(text.slice(from));
  return parts.filter((part) => part !== "");
}

const FOLD_LETTERS = 1200;
const FOLD_ROWS = 16;

function foldPoint(text) {
  let at = -1;
  for (let row = 0; row < FOLD_ROWS; row++) {
    at = text.indexOf("\n", at + 1);
    if (at < 0) break;
  }
  const point = Math.min(at < 0 ? Infinity : at, FOLD_LETTERS);
  return text.length > point + 200 ? point : text.length;
}

function body(text, openLink) {
  const point = foldPoint(text);
  const box = h("div.line-text", {dir: "auto"}, linked(text.slice(0, point), openLink));
  if (point < text.length) {
    box.append(h("span.fold", {}, "… ", h("button.text-button", {type: "button", onclick: () => {
      box.replaceChildren(...linked(text, openLink));
      box.tabIndex = -1;
      box.focus({preventScroll: true});
    }}, t("chat.show_all"))));
  }
  return box;
}

/** actions: {resend, withdraw, retry, drop} for lines of ours that want one, openLink(url). */
export function lineElement(line, {grouped, author, actions}) {
  const {direction, delivery} = line;
  if (direction === "note") {
    return h("li.note", {dataset: {seq: line.seq}}, icon("info"), h("span", {dir: "auto"}, sentence(line.text)),
      h("time", {title: moment(line.time)}, time(line.time)));
  }
  const mine = direction === "out";
  const buttons = [];
  const button = (word, act) => buttons.push(h("button.text-button", {type: "button", onclick: () => act(line)}, t(word)));
  if (delivery === "queued") button("chat.withdraw", actions.withdraw);
  if (delivery === "failed" || delivery === "not-confirmed") button("chat.resend", actions.resend);
  if (delivery === "refused") button("chat.resend", actions.retry);
  if (delivery === "refused" || delivery === "waiting") button("chat.withdraw", actions.drop);
  const trouble = delivery === "failed" || delivery === "refused" || delivery === "not-confirmed";
  return h("li.line", {class: `${mine ? "mine" : "theirs"} ${grouped ? "grouped" : ""} ${delivery}`,
    dataset: line.seq ? {seq: line.seq} : {label: line.label}},
  h("div.bubble", {},
    h("span.hidden", {}, h("bdi", {}, author), ": "),
    body(line.text, actions.openLink),
    h("span.line-meta", {}, h("time", {title: moment(line.time), datetime: new Date(line.time).toISOString()}, time(line.time)),
      mine ? deliveryMark(line) : null)),
  trouble || buttons.length ? h("div.line-foot", {class: delivery === "failed" || delivery === "refused" ? "bad" : ""},
    trouble && line.reason ? h("span", {}, sentence(line.reason)) : null, buttons) : null);
}
