// SPDX-License-Identifier: ISC
// Ctrl-K: goes anywhere and does anything by a few letters.
import {avatarOf, h, icon, replace, told, uniqueId} from "./dom.js";
import {link} from "./link.js";
import {model} from "./model.js";
import {routes} from "./main.js";
import {t} from "./words.js";

const SHOWN_MOST = 40;

/** How well letters in this order fit a text: 0 not at all; beginnings of words and neighbours count more. */
export function fit(wanted, text) {
  const inside = text.toLocaleLowerCase();
  const letters = [...wanted.toLocaleLowerCase().replace(/\s+/g, "")];
  let score = 1, at = -1;
  for (const letter of letters) {
    const next = inside.indexOf(letter, at + 1);
    if (next < 0) return 0;
    if (next === at + 1) score += 4;
    if (next === 0 || /[\s_-]/.test(inside[next - 1])) score += 6;
    score -= Math.min(2, (next - at - 1) / 8);
    at = next;
  }
  return Math.max(score - inside.length / 100, 0.01);
}

function entries(app) {
  const people = [...model.conversations.values()].sort((a, b) => b.last - a.last).map((each) => ({
    name: each.name || each.handle, text: `${each.name} ${each.handle}`, about: each.handle, bonus: each.unread ? 3 : 1,
    picture: () => avatarOf(each.name || each.handle, each.fingerprint, each.avatar), act: () => app.go(`/chat/${each.handle}`),
  }));
  const contacts = [...model.contacts.values()].filter(({conversation}) => !conversation).map((each) => ({
    name: each.name || each.handle, text: `${each.name} ${each.handle}`, about: t("app.contacts"),
    picture: () => avatarOf(each.name || each.handle, each.fingerprint, null), act: () => app.go(`/contacts/${each.handle}`),
  }));
  const views = Object.entries(routes).filter(([, route]) => route.icon && !route.under).map(([name, route]) => ({
    name: t(route.label), text: t(route.label), about: t("switcher.view"), picture: () => icon(route.icon), act: () => app.go(`/${name}`),
  }));
  const action = (word, sign, act) => ({name: t(word), text: t(word), about: t("switcher.action"), picture: () => icon(sign), act});
  return [...people, ...contacts, ...views,
    action("switcher.open_invite", "plus", () => app.go("/invites")),
    action("switcher.search", "search", () => app.go("/chats?search=")),
    action("switcher.sign_out", "signout", () => told(link.signOut()))];
}

export function openSwitcher(app) {
  if (document.querySelector("dialog[open]")) return;
  const all = entries(app);
  const listId = uniqueId("options");
  let found = [], at = 0;
  const list = h(`ul.options#${listId}`, {role: "listbox", "aria-label": t("switcher.open")});
  const none = h("p.empty", {role: "status", hidden: true}, t("switcher.none"));
  const input = h("input", {type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": listId, "aria-autocomplete": "list",
    "aria-label": t("switcher.open"), placeholder: t("switcher.hint"), autocomplete: "off", spellcheck: "false", oninput: draw});

  function choose(index) {
    at = index;
    [...list.children].forEach((option, number) => option.setAttribute("aria-selected", String(number === at)));
    const chosen = list.children[at];
    if (chosen) input.setAttribute("aria-activedescendant", chosen.id);
    else input.removeAttribute("aria-activedescendant");
    chosen?.scrollIntoView({block: "nearest"});
  }

  function take(index) {
    const entry = found[index];
    if (!entry) return;
    box.close();
    entry.act();
  }

  function draw() {
    const wanted = input.value.trim();
    found = all.map((entry) => ({entry, score: wanted ? fit(wanted, entry.text) * (entry.bonus ?? 1) : 1}))
      .filter(({score}) => score > 0).sort((a, b) => b.score - a.score).slice(0, SHOWN_MOST).map(({entry}) => entry);
    replace(list, found.map((entry, index) => h(`li.option#${listId}-${index}`, {role: "option", "aria-selected": "false",
      onclick: () => take(index), onpointermove: () => at !== index && choose(index)},
    entry.picture(), h("span.option-name", {}, h("bdi", {}, entry.name)), h("span.soft", {}, entry.about))));
    none.hidden = found.length > 0;
    choose(0);
  }

  input.addEventListener("keydown", (event) => {
    const {key} = event;
    if (key === "Enter") take(at);
    else if (key === "ArrowDown") choose((at + 1) % Math.max(1, found.length));
    else if (key === "ArrowUp") choose((at - 1 + found.length) % Math.max(1, found.length));
    else return;
    event.preventDefault();
  });
  const box = h("dialog.switcher", {"aria-label": t("switcher.open")},
    h("div.search-field", {}, icon("search"), input), list, none);
  box.addEventListener("click", (event) => event.target === box && box.close());
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  draw();
  box.showModal();
  input.focus();
}
