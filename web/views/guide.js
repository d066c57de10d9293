// SPDX-License-Identifier: ISC
// From nothing to a first conversation: four steps whose progress is read from the gateway, not remembered.
import {copyButton, dotted, h, icon, replace, sentence, svg} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {showQr} from "../qr.js";
import {ago, t} from "../words.js";
import {friendBadge, ownCertificate} from "./friends.js";
import {makeInvite} from "./invites.js";
import {stateMark} from "./line.js";
import {openBox} from "./openbox.js";
import {badge, button, every, hint, keyed, lead, loaded, notice, shareButton} from "./parts.js";

const POLL_MS = 2000, TALKS_SHOWN = 5;

/** You – a friend – somebody between – a contact: who is near, and who is reached. */
function picture() {
  const people = [[40, "you", "me"], [150, "friend", "up"], [260, "others", ""], [370, "contact", "far"]];
  return svg("svg", {class: "net guide-picture", viewBox: "0 -6 410 88", role: "img", "aria-label": t("guide.picture")},
    people.slice(1).map(([x], i) => svg("g", {class: `net-line ${i ? "relayed" : "link up"}`},
      svg("path", {d: `M${x - 88} 34H${x - 22}`, "stroke-width": i ? 2 : 3}))),
    svg("g", {class: "net-line own"}, svg("path", {d: "M40 14C130 -6 280 -6 370 14", "stroke-width": 2})),
    people.map(([x, name, kind]) => svg("g", {class: `net-node ${kind}`, transform: `translate(${x} 34)`},
      svg("circle", {r: 17}), svg("text", {class: "label", y: 38}, t(`guide.${name}`)))));
}

function step(count, name, ...children) {
  const mark = h("span.step-mark", {"aria-hidden": "true"}, count), state = h("span", {role: "status"});
  const element = h("li", {}, h("details.card.step", {}, h("summary.row", {}, mark, h("h2.grow", {}, t(`guide.${name}`)), state),
    h("div.stack", {}, h("p", {}, t(`guide.${name}_text`)), children)));
  return {element, details: element.firstChild, set(kind, text) {
    const was = element.dataset.kind;
    if (state.textContent === text && was === kind) return;
    element.dataset.kind = kind;
    // Done under the person's eyes: on to the next one.
    if (kind === "done" && was !== undefined && was !== kind && element.nextSibling) element.nextSibling.firstChild.open = true;
    replace(mark, kind === "done" ? icon("check") : count);
    replace(state, badge(text, kind === "done" ? "good" : kind === "wait" ? "warn" : ""));
  }};
}

function friendRow() {
  const name = h("bdi"), why = h("span.hint"), state = h("span");
  return {element: h("li.item", {}, h("div.grow.stack-tight", {}, h("strong", {}, name), why), state), update(friend) {
    name.textContent = friend.name;
    const next = friend.next_try > Date.now() ? t("guide.next_try", {when: ago(friend.next_try)}) : "";
    replace(why, friend.state === "up" ? "" : dotted(sentence(friend.reason), next));
    replace(state, friendBadge(friend));
  }};
}

const ownKey = () => loaded(async () => {
  const {link: text} = await link.ask("account.show");
  const letter = `${t("guide.letter")}\n\n${text}\n`;
  return h("div.row", {}, copyButton(letter, t("guide.copy_key")),
    button(t("qr.show"), () => showQr(text, t("invites.own_link")), {sign: "qr"}),
    shareButton(letter, t("invites.own_link")));
});

export function open(root, params, app) {
  app.title(t("app.guide"));
  const friends = h("ul.list", {role: "list"}), knocks = h("div.stack"), contacts = h("div.stack"),
    talks = h("ul.list", {role: "list"});
  const fillFriends = keyed(friends, (friend) => friend.location, friendRow);
  const you = step(1, "you", hint(t("guide.you_more")), h("p", {}, h("a", {href: "#/settings/account"}, t("guide.you_link"))));
  const friend = step(2, "a_friend", ...(model.operator
    ? [h("h3", {}, t("guide.give")), ownCertificate(), h("h3", {}, t("guide.take")),
      openBox(app, {label: t("friends.add_label"), help: t("friends.add_help"), heard: {friend: () => turn.now()}}),
      friends, knocks]
    : [notice("", t("guide.ask_operator"))]));
  const person = step(3, "a_person", h("h3", {}, t("guide.give_key")), ownKey(),
    openBox(app, {label: t("guide.take_key"), help: t("guide.box_help"),
      heard: {contact: () => drawContacts(), opened: () => turn.now()}}), contacts);
  const talk = step(4, "a_line", talks);
  const steps = [you, friend, person, talk];

  function drawContacts() {
    const waiting = [...model.contacts.values()].filter(({conversation}) => !conversation);
    replace(contacts, waiting.length ? h("h3", {}, t("guide.who_invites")) : null,
      waiting.map((contact) => h("div.row.item", {}, h("strong.grow", {}, h("bdi", {}, contact.name || contact.handle)),
        button(t("invites.make"), () => makeInvite(contact), {kind: "primary", sign: "invites"}))));
  }

  function drawTalks() {
    drawContacts();
    const all = [...model.conversations.values()].sort((a, b) => (b.state === "can talk") - (a.state === "can talk"));
    replace(talks, all.slice(0, TALKS_SHOWN).map((each) => h("li.item", {},
      h("div.grow.stack-tight", {}, h("strong", {}, h("bdi", {}, each.name || each.handle)), h("span.hint", {}, sentence(each.reason))),
      stateMark(each),
      button(t("invites.go_talk"), () => app.go(`#/chat/${each.handle}`),
        {kind: each.state === "can talk" ? "primary" : "", sign: "chats"}))));
    const can = all.some(({state}) => state === "can talk"), said = all.some(({last}) => last > 0);
    person.set(all.length ? "done" : model.contacts.size ? "wait" : "",
      all.length ? t("guide.done") : model.contacts.size ? t("guide.invite_missing") : t("guide.to_do"));
    talk.set(said ? "done" : all.length ? "wait" : "",
      said ? t("guide.done") : can ? t("guide.can_talk") : all.length ? t("guide.looking") : t("guide.later"));
  }

  function drawFriends({total, up}) {
    friend.set(up ? "done" : total ? "wait" : "",
      up ? t("guide.linked", {n: up}) : total ? t("guide.not_linked") : t("guide.to_do"));
  }

  root.append(h("div.page", {}, lead(t("guide.about")),
    h("figure.card", {}, picture(), h("figcaption.hint", {}, t("guide.picture_text"))),
    h("ol.steps", {role: "list"}, steps.map(({element}) => element)), h("p", {}, h("a", {href: "#/chats"}, t("guide.skip")))));
  you.set("done", model.account?.name ?? "");
  drawFriends(model.hello?.friends ?? {total: 0, up: 0});
  drawTalks();
  (steps.find(({element}) => element.dataset.kind !== "done") ?? talk).details.open = true;

  const turn = every(POLL_MS, async () => {
    if (!model.operator) {
      drawFriends((await link.ask("hello")).friends ?? {total: 0, up: 0});
      return;
    }
    const [list, tries] = await Promise.all([link.ask("friend.list"), link.ask("attempts")]);
    fillFriends(list.friends);
    const up = list.friends.filter(({state}) => state === "up").length;
    drawFriends({total: list.friends.length, up});
    replace(knocks, tries.attempts.map((entry) => notice("warn", t("guide.knock", {key: entry.issuer, address: entry.address}))));
  });
  const offs = [turn, model.on("contacts", drawTalks), model.on("conversations", drawTalks)];
  return () => offs.forEach((off) => off());
}
