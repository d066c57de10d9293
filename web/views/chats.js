// SPDX-License-Identifier: ISC
// The list of conversations, kept beside the open one; #/chats alone shows it on a phone.
import {avatarOf, h, icon, iconButton, replace, sentence} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {notifyHint} from "../notify.js";
import {brief, said, t} from "../words.js";
import {deliveryMark, excerpt, stateMark} from "./line.js";

/** Who it is: the name they gave themselves, with the handle when it differs. */
export const nameOf = (conversation) => conversation.name || conversation.handle;

/** Where its newest line stands in the account's log; what waits on this device comes after all. */
const place = ({id, last}) => (model.preview(id)?.delivery === "waiting" ? Number.MAX_SAFE_INTEGER : last);
const lastTime = ({id, created}) => model.preview(id)?.time ?? created;

function previewText(conversation) {
  if (model.isTyping(conversation.id)) return h("span.thread-typing", {}, t("chats.typing"));
  const line = model.preview(conversation.id);
  if (!line) return line === null && link.state !== "offline" ? h("span", {}, sentence(conversation.reason)) : "";
  const text = excerpt(line.direction === "note" ? said(line.text) ?? line.text : line.text);
  if (line.direction !== "out") return h("span", {dir: "auto"}, text);
  return [deliveryMark(line), h("span", {dir: "auto"}, t("chats.you", {text}))];
}

/** Drawn anew only when something of it changed: else its picture would blink. */
function fill(thread, conversation) {
  const {id, unread, state, reason, avatar} = conversation;
  const line = model.preview(id);
  const looks = JSON.stringify([link.state === "offline", nameOf(conversation), state, reason, unread, avatar, model.isTyping(id), line?.seq,
    line?.label, line?.delivery, line === null, lastTime(conversation) && brief(lastTime(conversation))]);
  if (thread.dataset.looks === looks) return;
  thread.dataset.looks = looks;
  replace(thread,
    avatarOf(nameOf(conversation), conversation.fingerprint, conversation.avatar),
    h("span.thread-text", {},
      h("span.thread-top", {},
        h("span.thread-name", {}, h("bdi", {}, nameOf(conversation))),
        h("time.thread-time", {}, lastTime(conversation) ? brief(lastTime(conversation)) : "")),
      h("span.thread-preview", {}, previewText(conversation)),
      h("span.thread-foot", {}, stateMark(conversation),
        unread ? h("span.thread-unread", {}, h("span", {"aria-hidden": "true"}, unread > 999 ? "999+" : unread),
          h("span.hidden", {}, t("chats.unread", {n: unread}))) : null)));
  thread.classList.toggle("has-unread", unread > 0);
}

export function openList(root, app) {
  const threads = new Map(); // conversation id → its element, kept so that focus stays where it is
  const filter = h("input", {type: "search", placeholder: t("chats.filter"), "aria-label": t("chats.filter"),
    autocomplete: "off", spellcheck: "false", oninput: draw});
  const list = h("ul.threads", {"aria-label": t("app.chats")});
  const empty = h("div.empty", {hidden: true});
  const hint = h("div");
  replace(root,
    h("div.list-header", {}, h("h2", {tabindex: -1, "aria-level": 2}, t("app.chats")),
      iconButton("search", t("chats.search_all"), () => app.go(`/chats?search=${encodeURIComponent(filter.value)}`)),
      iconButton("plus", t("chats.open_invite"), () => app.go("/invites"))),
    h("div.list-filter", {}, filter), hint, list, empty);

  // Arrow keys walk the list.
  list.addEventListener("keydown", (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (!step) return;
    const links = [...list.querySelectorAll("a")];
    links[links.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  });

  function draw() {
    const wanted = filter.value.trim().toLocaleLowerCase();
    const all = [...model.conversations.values()];
    const shown = all.filter(({handle, name}) => !wanted || `${handle} ${name ?? ""}`.toLocaleLowerCase().includes(wanted))
      .map((conversation) => [place(conversation), conversation])
      .sort(([at, a], [next, b]) => next - at || b.created - a.created).map(([, conversation]) => conversation);
    const ids = new Set(shown.map(({id}) => id));
    const here = location.hash.match(/^#\/chat\/([^?]*)/)?.[1]; // a handle needs no escapes
    for (const [id, item] of threads) {
      if (ids.has(id)) continue;
      item.remove();
      threads.delete(id);
    }
    shown.forEach((conversation, index) => {
      if (!threads.has(conversation.id)) threads.set(conversation.id, h("li", {}, h("a.thread")));
      const item = threads.get(conversation.id);
      const thread = item.firstChild;
      thread.href = `#/chat/${encodeURIComponent(conversation.handle)}`;
      if (conversation.handle === here) thread.setAttribute("aria-current", "page");
      else thread.removeAttribute("aria-current");
      fill(thread, conversation);
      // Moving an element takes its focus away: only where the order changed.
      if (list.children[index] !== item) {
        const focused = item.contains(document.activeElement);
        list.insertBefore(item, list.children[index] ?? null);
        if (focused) thread.focus();
      }
    });
    list.hidden = shown.length === 0;
    empty.hidden = shown.length > 0;
    if (shown.length > 0) return;
    if (all.length > 0) replace(empty, h("p", {}, t("chats.none_match")));
    else {
      replace(empty, icon("chats"), h("p", {}, t("chats.empty")),
        h("a.button.primary", {href: "#/guide"}, t("chats.open_guide")),
        h("a.button.quiet", {href: "#/invites"}, t("chats.open_invite")));
    }
  }

  let due = false;
  const soon = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
  const offs = ["conversations", "previews", "ready", "typing", "status"].map((topic) => model.on(topic, soon));
  addEventListener("hashchange", soon);
  offs.push(model.on("incoming", () => {
    if (document.hasFocus() || hint.hasChildNodes()) return;
    const node = notifyHint();
    if (node) hint.append(node);
  }));
  const clock = setInterval(soon, 60_000); // "12:07" becomes "Monday" one day
  draw();
  return () => {
    offs.forEach((off) => off());
    removeEventListener("hashchange", soon);
    clearInterval(clock);
  };
}

/** Beside the list: the search over all conversations, or a friendly word. */
export function open(root, {query}, app) {
  if (query.has("search")) {
    let left = false;
    import("./search.js").then(({openSearch}) => left || openSearch(root, app, query.get("search")));
    return () => (left = true);
  }
  replace(root, h("div.empty.wide-only", {}, icon("chats"), h("p", {}, t("chats.pick"))));
  return undefined;
}
