// SPDX-License-Identifier: ISC
// Searching what was said: in one conversation or in all.
import {busy, causeOf, h, icon, iconButton, replace, uniqueId} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {brief, t} from "../words.js";
import {nameOf} from "./chats.js";
import {excerpt} from "./line.js";

const BYTES_MOST = 256; // of what is searched for (api.md)
const PAGE = 50;
const AFTER_MS = 250;
const BEFORE_LETTERS = 60, AFTER_LETTERS = 140; // shown around the place found

/** The part of a text around the place found, which is marked. */
function shown(text, wanted) {
  const at = text.toLocaleLowerCase().indexOf(wanted.toLocaleLowerCase());
  if (at < 0) return excerpt(text, 160);
  const from = Math.max(0, at - BEFORE_LETTERS);
  return [from > 0 ? "…" : "", text.slice(from, at), h("mark", {}, text.slice(at, at + wanted.length)),
    text.slice(at + wanted.length, at + AFTER_LETTERS)];
}

/** A field and what it finds; conversation: only there. picked(line) after a result was chosen. */
export function searchBox({conversation, text = "", picked, app}) {
  const id = uniqueId("search");
  let timer, asked = 0, before, count = 0;
  const input = h(`input#${id}`, {type: "search", value: text, autocomplete: "off", placeholder: t("chat.search_hint"),
    "aria-label": conversation ? t("chat.search_here") : t("chats.search_all"), oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(begin, AFTER_MS);
    }});
  const status = h("p.soft.small", {role: "status"});
  const results = h("ul.results");
  const more = h("button.button.quiet", {type: "button", hidden: true, onclick: () => busy(more, find())}, t("chat.search_more"));

  function result(line) {
    const where = model.conversation(line.conversation);
    if (!where) return null;
    return h("li", {}, h("a.result", {href: `#/chat/${encodeURIComponent(where.handle)}?at=${line.seq}`, onclick: () => picked?.(line)},
      h("span.result-top", {}, h("bdi", {}, line.direction === "out" ? t("chat.me") : nameOf(where)),
        conversation || line.direction !== "out" ? null : h("bdi.soft", {}, `→ ${nameOf(where)}`),
        h("time", {}, brief(line.time))),
      h("span.result-text", {dir: "auto"}, shown(line.text, input.value.trim()))));
  }

  async function find() {
    const mine = asked;
    try {
      const answer = await link.ask("search", {text: input.value.trim(), max: PAGE,
        ...(conversation ? {conversation: conversation.id} : {}), ...(before ? {before} : {})});
      if (mine !== asked) return;
      results.append(...answer.lines.map(result).filter(Boolean));
      count += answer.lines.length;
      before = answer.before;
      more.hidden = !answer.more;
      status.textContent = count || answer.more ? t("chat.found", {n: count}) : t("chat.found_nothing");
    } catch (failure) {
      if (mine === asked) replace(status, causeOf(failure));
    }
  }

  function begin() {
    asked++;
    before = undefined;
    count = 0;
    replace(results);
    more.hidden = true;
    status.textContent = "";
    const wanted = input.value.trim();
    if (wanted === "" || new TextEncoder().encode(wanted).length > BYTES_MOST) return;
    find();
  }
  if (text) begin();
  return {node: h("div.search", {}, h("div.search-field", {}, icon("search"), input), status, results, more),
    focus: () => input.focus()};
}

/** The page that searches everywhere. */
export function openSearch(root, app, text) {
  const box = searchBox({text, app});
  app.title(t("chats.search_all"));
  replace(root, h("div.page", {}, h("header.row", {},
    iconButton("back", t("app.back"), () => app.go("/chats")), h("h1.grow", {tabindex: -1}, t("chats.search_all"))), box.node));
  box.focus();
}
