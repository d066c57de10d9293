// SPDX-License-Identifier: ISC
// What protects a conversation: how it is shown, chosen for an invite, told when it changes, and given up.
import {dialog, h, icon, iconButton, replace, toast, uniqueId} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {said, t} from "../words.js";
import {deliveryMark} from "./line.js";

const KINDS = {
  none: {sign: "lock-open", marks: []},
  classic: {sign: "lock", marks: ["sent", "not-confirmed"]},
  sealed: {sign: "shield", kind: "good", marks: ["sent", "delivered", "not-confirmed"]},
};
const known = (protection) => (protection in KINDS ? protection : "none");

export function protectionMark({protection, protection_text: text}) {
  const {sign, kind} = KINDS[known(protection)];
  return h("span.state-mark.protection", {class: kind, title: said(text) ?? (text || null)},
    icon(sign), h("span", {}, t(`chat.protection_${known(protection)}`)));
}

/** What the ticks behind one's own lines mean under this protection. */
export function marksOf({protection}) {
  const {marks} = KINDS[known(protection)];
  return marks.length === 0 ? null : h("section.stack", {}, h("h3", {}, t("chat.marks")),
    h("ul.stack.marks", {}, marks.map((delivery) => h("li.row", {}, deliveryMark({delivery}),
      h("span", {}, t(`chat.mark_${delivery.replace("-", "_")}_${protection}`))))));
}

/** A change of the protection while the page was open: said once, aloud too, and there until it was seen. */
export function protectionNews(id) {
  let shown;
  const node = h("div", {role: "status"});
  const seen = () => model.noticed(id);
  const draw = () => {
    const protection = model.protectionNews(id);
    if (protection === shown) return;
    shown = protection;
    replace(node, protection ? h("div.protection-news", {}, icon(KINDS[protection].sign),
      h("span", {}, t(`chat.now_${protection}`)), iconButton("close", t("app.close"), seen)) : []);
  };
  return {node, draw, seen};
}

/** {node, value()}: what an invite asks for. */
export function protectionChoice() {
  const name = uniqueId("protection");
  const node = h("details", {}, h("summary", {}, t("app.more")), h("fieldset.stack", {}, h("legend", {}, t("chat.fact_protection")),
    ["any", "sealed", "classic"].map((value) => h("label.choice", {}, h("input", {type: "radio", name, value, checked: value === "any"}),
      h("span", {}, h("strong", {}, t(`invites.protection_${value}`)), h("small.hint", {}, t(`invites.protection_${value}_help`)))))));
  return {node, value: () => node.querySelector("input:checked").value};
}

/** Why the person may give sealed chat up here, as the end of a key; null where there is nothing to give up. */
export function lowerable({open, protection, sealed, routes}) {
  if (protection === "sealed") return "sealed";
  if (sealed) return "invites";
  return open && protection === "none" && routes?.length ? "waiting" : null;
}

export async function lower(conversation) {
  const done = await dialog({
    title: t("chat.lower_title"),
    body: [h("p", {}, t(`chat.lower_${lowerable(conversation)}`)), h("p", {}, t("chat.lower_classic")),
      h("p.notice.warn", {}, icon("alert"), h("span", {}, t("chat.lower_ask")))],
    actions: [{text: t("app.cancel")}, {text: t("chat.lower_do"), kind: "danger",
      run: () => link.ask("conversation.lower", {conversation: conversation.id, sure: true})}],
  });
  if (done) toast(t("chat.lowered"));
}
