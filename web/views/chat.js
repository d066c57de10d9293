// SPDX-License-Identifier: ISC
// One conversation: who it is and in what state, what was said, and where to write.
import {avatarOf, h, icon, iconButton, replace, sentence, toast, told} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {isolate, said, t} from "../words.js";
import {closeChat, removeContact, rename, showAbout} from "./about.js";
import {nameOf} from "./chats.js";
import {makeComposer} from "./composer.js";
import {stateMark} from "./line.js";
import {makeLog} from "./log.js";
import {protectionMark, protectionNews} from "./protection.js";
import {searchBox} from "./search.js";

function menuButton(entries) {
  const menu = h("div.menu", {popover: "auto", role: "menu"});
  const button = iconButton("more", t("chat.menu"), () => {
    replace(menu, entries().map(({sign, word, act, kind}) => h("button", {type: "button", role: "menuitem", class: kind,
      onclick: () => {
        menu.hidePopover();
        act();
      }}, icon(sign), t(word))));
    menu.showPopover();
    const under = button.getBoundingClientRect();
    const {width} = menu.getBoundingClientRect();
    const left = getComputedStyle(button).direction === "rtl" ? under.left : under.right - width;
    menu.style.top = `${under.bottom + 4}px`;
    menu.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    menu.firstChild.focus();
  }, {"aria-haspopup": "menu", "aria-expanded": "false"});
  menu.addEventListener("toggle", ({newState}) => {
    button.setAttribute("aria-expanded", String(newState === "open"));
    if (newState === "closed" && menu.contains(document.activeElement)) button.focus();
  });
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children];
    const at = items.indexOf(document.activeElement);
    const next = {ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1}[event.key];
    if (next === undefined) return;
    event.preventDefault();
    items[next % items.length].focus();
  });
  return [button, menu];
}

function missing(root, handle) {
  replace(root, h("div.empty", {}, icon("chats"), h("h1", {tabindex: -1}, t("chat.missing", {handle})),
    h("a.button", {href: "#/chats"}, t("app.back"))));
}

export function open(root, {arg, query}, app) {
  let opened = null;
  const begin = () => {
    const conversation = model.conversation(arg);
    if (opened || !conversation) return;
    opened = openConversation(root, conversation, query, app);
  };
  begin();
  const off = model.on("conversations", begin); // it may come with the lists, or with an invite
  if (!opened) missing(root, arg);
  return () => {
    off();
    opened?.();
  };
}

function openConversation(root, {id}, query, app) {
  const now = () => model.conversation(id);
  const names = {mine: () => t("chat.me"), theirs: () => nameOf(now() ?? {handle: ""})};

  const act = (command, args) => told(link.ask(command, args));
  const actions = {
    resend: ({seq}) => act("resend", {conversation: id, seq}),
    withdraw: ({seq}) => act("withdraw", {seq}),
    retry: ({label}) => model.retry(label),
    drop: ({label}) => model.drop(label),
    openLink: (url) => app.go(`/invites?text=${encodeURIComponent(url)}`),
  };
  const news = protectionNews(id);
  const log = makeLog(now(), {names, actions});
  const composer = makeComposer(now(), app, () => log.toNewest(false));

  const heading = h("h1", {tabindex: -1});
  const face = h("span");
  const status = h("p.chat-status");
  const typing = h("p.typing", {role: "status"});
  const ended = h("div.ended", {hidden: true});
  const aside = h("aside.search-pane", {hidden: true, "aria-label": t("chat.search_here")});

  function toggleSearch() {
    aside.hidden = !aside.hidden;
    searchButton.setAttribute("aria-pressed", String(!aside.hidden));
    if (aside.hidden) return log.focus();
    const box = searchBox({conversation: now(), app, picked: (line) => {
      // On a phone the results cover what was found.
      if (matchMedia("(max-width: 760px)").matches) aside.hidden = true;
      told(log.showAt(line.seq, true));
    }});
    replace(aside, h("header", {}, h("h2", {}, t("chat.search_here")), iconButton("close", t("app.close"), toggleSearch)), box.node);
    box.focus();
    return undefined;
  }
  aside.addEventListener("click", (event) => {
    const result = event.target.closest(".result");
    if (result) event.preventDefault(); // the place is shown here, without opening the view anew
  });
  aside.addEventListener("keydown", (event) => event.key === "Escape" && toggleSearch());
  const searchButton = iconButton("search", t("chat.search_here"), toggleSearch, {"aria-pressed": "false"});

  const menu = menuButton(() => [
    {sign: "info", word: "chat.info", act: () => showAbout(now())},
    {sign: "edit", word: "chat.rename", act: () => rename(now())},
    {sign: "image", word: "chat.ask_avatar", act: async () => {
      if (await act("conversation.avatar", {conversation: id})) toast(t("chat.avatar_asked"));
    }},
    ...(now()?.open ? [
      {sign: "refresh", word: "chat.dig", act: () => act("conversation.open", {conversation: id})},
      {sign: "close", word: "chat.close", act: () => closeChat(now()), kind: "danger"}] : []),
    {sign: "trash", word: "chat.remove", act: () => removeContact(now(), app), kind: "danger"},
  ]);

  let drawn = "";
  function drawHead() {
    const conversation = now();
    news.draw();
    if (!conversation) return missing(root, decodeURIComponent(location.hash.slice("#/chat/".length).split("?")[0]));
    const {name: given, handle, state, reason, protection, protection_text: text, fingerprint, avatar, open: going} = conversation;
    const away = link.state === "offline";
    const looks = JSON.stringify([away, given, handle, state, reason, protection, text, avatar, going]);
    if (looks === drawn) return undefined;
    drawn = looks;
    const name = nameOf(conversation);
    app.title(name);
    replace(heading, h("bdi", {}, name));
    replace(face, avatarOf(name, fingerprint, avatar));
    replace(status, stateMark(conversation), protectionMark(conversation),
      reason && !away ? h("span.reason", {title: said(reason) ?? reason, class: state === "can talk" ? "minor" : ""}, sentence(reason)) : null);
    composer.node.hidden = !going;
    ended.hidden = going;
    if (!going) {
      replace(ended, h("p", {}, t("chat.ended")),
        h("a.button", {href: `#/invites/${encodeURIComponent(handle)}`}, icon("invites"), t("chat.invite_again")));
    }
    // Renamed: the address follows.
    if (!location.hash.startsWith(`#/chat/${handle}`)) history.replaceState(null, "", `#/chat/${handle}`);
    return undefined;
  }
  const drawTyping = () => {
    const on = model.isTyping(id);
    replace(typing, on ? [h("span.dots", {"aria-hidden": "true"}, h("i"), h("i"), h("i")),
      t("chat.typing", {name: isolate(names.theirs())})] : []);
  };

  replace(root,
    h("header.chat-header", {},
      h("a.icon-button.narrow-only", {href: "#/chats", "aria-label": t("app.back"), title: t("app.back")}, icon("back")),
      h("button.chat-who", {type: "button", title: t("chat.info"), onclick: () => showAbout(now())}, face,
        h("span.hidden", {}, t("chat.info"))),
      h("div.chat-title", {}, heading, status),
      searchButton, menu),
    news.node,
    h("div.chat-body", {}, h("div.chat-log", {}, log.node, typing, composer.node, ended), aside));
  drawHead();
  const offs = [model.on("conversations", drawHead), model.on("status", drawHead), model.on(`typing:${id}`, drawTyping)];
  told(log.start(Number(query.get("at")) || 0));
  if (!query.has("at") && matchMedia("(pointer: fine)").matches) composer.focus();
  else if (!query.has("at")) heading.focus({preventScroll: true});

  return () => {
    offs.forEach((off) => off());
    news.seen();
    log.stop();
    composer.stop();
  };
}
