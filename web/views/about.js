// SPDX-License-Identifier: ISC
// What there is to know about a conversation, and what can be done with the contact behind it.
import {copyButton, confirmBox, dialog, h, sentence, toast, told, uniqueId} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {isolate, moment, t} from "../words.js";
import {nameOf} from "./chats.js";
import {stateMark} from "./line.js";
import {lower, lowerable, marksOf, protectionMark} from "./protection.js";

const PRESENCE = {always: "chat.presence_always", open: "chat.presence_open", never: "chat.presence_never"};

/** A fingerprint in groups of four, as people compare it. */
export const grouped = (fingerprint) => (fingerprint ?? "").replace(/(.{4})(?=.)/g, "$1 ");

const fact = (name, ...values) => [h("dt", {}, name), h("dd", {}, values)];

function routes(list) {
  if (list.length === 0) return h("p.soft", {}, t("chat.no_routes"));
  return h("ul.stack.routes", {}, list.map((route) => h("li", {},
    h("span", {}, t(`chat.route_${route.role}`)),
    h("span.soft.small", {}, t("chat.route_known_to"), " ", sentence(route.hash_known_to), " · ",
      route.last_used ? t("chat.route_used", {when: moment(route.last_used)}) : t("chat.route_unused")))));
}

export async function showAbout(conversation) {
  const all = await told(link.ask("conversation.show", {conversation: conversation.id}));
  if (!all) return;
  const contact = model.contacts.get(conversation.contact);
  const presenceId = uniqueId("presence");
  const presence = h(`select#${presenceId}`, {onchange: () => told(link.ask("contact.set",
    {contact: conversation.contact, presence: presence.value}).then(() => toast(t("chat.saved"))))},
  Object.entries(PRESENCE).map(([value, word]) => h("option", {value, selected: contact?.presence === value}, t(word))));
  await dialog({
    title: nameOf(all), wide: true,
    body: h("div.stack", {},
      h("dl.facts", {},
        fact(t("chat.fact_state"), stateMark(all), all.reason ? h("span.soft", {}, " · ", sentence(all.reason)) : null),
        fact(t("chat.fact_protection"), protectionMark(all), h("p.soft.small", {}, sentence(all.protection_text))),
        fact(t("chat.fact_handle"), h("code.mono", {}, all.handle)),
        all.state_text ? fact(t("chat.fact_state_text"), h("span", {dir: "auto"}, all.state_text)) : null,
        fact(t("chat.fact_fingerprint"), h("code.mono", {}, grouped(all.fingerprint)),
          h("div", {}, copyButton(all.fingerprint)))),
      h("p.hint", {}, t("chat.compare")),
      contact ? h("div.field", {}, h("label", {for: presenceId}, t("chat.presence")), presence) : null,
      all.explanation?.length ? h("section.stack", {}, h("h3", {}, t("chat.explanation")),
        h("ul.explanation", {}, all.explanation.map((line) => h("li", {}, sentence(line))))) : null,
      marksOf(all),
      h("section.stack", {}, h("h3", {}, t("chat.routes")), routes(all.routes ?? [])),
      lowerable(all) ? h("div", {}, h("button.button.quiet.danger", {type: "button", onclick: ({target}) => {
        target.closest("dialog").close();
        lower(all);
      }}, t("chat.lower"))) : null),
    actions: [{text: t("app.close")}],
  });
}

export function rename(conversation) {
  const contact = model.contacts.get(conversation.contact);
  const ids = [uniqueId("rename"), uniqueId("rename")];
  const name = h(`input#${ids[0]}`, {value: contact?.name ?? conversation.name ?? "", dir: "auto"});
  const handle = h(`input#${ids[1]}`, {value: conversation.handle, class: "mono", autocapitalize: "none", spellcheck: "false"});
  return dialog({
    title: t("chat.rename"),
    body: [h("div.field", {}, h("label", {for: ids[0]}, t("chat.name")), name),
      h("div.field", {}, h("label", {for: ids[1]}, t("chat.fact_handle")), handle, h("p.hint", {}, t("chat.handle_hint")))],
    actions: [{text: t("app.cancel")}, {text: t("app.save"), kind: "primary", run: () => link.ask("contact.set", {
      contact: conversation.contact, name: name.value.trim(),
      ...(handle.value.trim() === conversation.handle ? {} : {handle: handle.value.trim()})})}],
  });
}

export async function closeChat(conversation) {
  if (await confirmBox(t("chat.close_sure"), t("chat.close"))) {
    await told(link.ask("conversation.close", {conversation: conversation.id}));
  }
}

export async function removeContact(conversation, app) {
  if (!await confirmBox(t("chat.remove_sure", {name: isolate(nameOf(conversation))}), t("chat.remove"))) return;
  if (await told(link.ask("contact.remove", {contact: conversation.contact}))) app.go("/chats");
}
