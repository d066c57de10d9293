// SPDX-License-Identifier: ISC
// Invites: open what came, make new ones, and see which still hold.
import {busy, confirmBox, copyButton, dialog, h, replace} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {fitsQr, qrOf, showQr} from "../qr.js";
import {ago, moment, t} from "../words.js";
import {find} from "./found.js";
import {openBox} from "./openbox.js";
import {attempt, badge, button, card, choice, empty, field, handout, hint, keyed, lead, loaded, notice, shareButton} from "./parts.js";
import {protectionChoice} from "./protection.js";

const VALID = [[3600, "hour"], [86400, "day"], [604800, "week"], [2592000, "month"]];
const USES = [[1, "once"], [5, "five"], [-1, "any"]];
const STATE_KIND = {open: "good", used: "", revoked: "", expired: "warn"};

/** What the other side needs, in one text that its open box understands. */
const together = (inviteLink, keyLink) => `${t("invites.letter")}\n\n${inviteLink}\n\n${keyLink}\n`;

function result(invite, keyLink) {
  const all = together(invite.link, keyLink), copyAll = copyButton(all, t("invites.copy_both"));
  copyAll.classList.add("primary");
  return h("div.stack", {},
    notice("good", t("invites.made", {name: invite.handle, when: moment(invite.expires)})),
    h("div.row", {}, copyAll, copyButton(invite.link, t("invites.copy_link")), shareButton(all, t("invites.invite"))),
    hint(t("invites.one_way")),
    fitsQr(invite.link) ? qrOf(invite.link, t("invites.qr", {name: invite.handle})) : null);
}

/** Makes an invite in a dialog: for a contact, or with a pasted key for somebody new. */
export async function makeInvite(contact) {
  const account = link.ask("account.show");
  const whom = contact ? null : h("select", {onchange: () => { key.parentElement.hidden = whom.value !== ""; }},
    [...model.contacts.values()].map((entry) => h("option", {value: entry.id}, entry.name || entry.handle)),
    h("option", {value: ""}, t("invites.new_person")));
  const key = h("textarea.mono", {rows: 3, dir: "auto", spellcheck: "false"});
  const valid = choice(VALID.map(([value, word]) => [value, t(`invites.valid_${word}`)]), 86400);
  const uses = choice(USES.map(([value, word]) => [value, t(`invites.uses_${word}`)]), 1);
  const protection = protectionChoice();
  const keyField = field(t("invites.their_key"), key, t("invites.their_key_help"));
  keyField.hidden = Boolean(contact) || whom.value !== "";
  const made = await dialog({
    title: contact ? t("invites.make_for", {name: contact.name || contact.handle}) : t("invites.make"),
    body: h("div.stack", {}, whom ? field(t("invites.for"), whom) : null, keyField,
      h("div.row.fields", {}, field(t("invites.valid"), valid), field(t("invites.uses"), uses)),
      hint(t("invites.short_is_safe")), protection.node),
    actions: [{text: t("app.cancel")}, {text: t("invites.make"), kind: "primary", run: async () => {
      const id = contact?.id ?? Number(whom.value);
      const found = id ? null : find(key.value).keys[0];
      if (!id && !found) throw new Error(t("invites.no_key"));
      return link.ask("invite.new",
        {...(id ? {contact: id} : {key: found.text}), valid: Number(valid.value), uses: Number(uses.value),
          protection: protection.value()});
    }}],
  });
  if (made)
    await dialog({title: t("invites.for_name", {name: made.handle}), body: result(made, (await account).link), wide: true});
}

function row(linkOf, invite) {
  const state = h("span"), left = h("span.hint"), actions = h("div.row");
  const element = h("li.item.row", {},
    h("div.grow", {}, h("div.row", {}, h("strong", {}, h("bdi", {}, invite.handle)),
      h("span.hint", {}, t(invite.own ? "invites.by_you" : "invites.by_them"))), left),
    state, actions);
  const revoke = async () => {
    if (await confirmBox(t("invites.revoke_sure", {name: invite.handle}), t("invites.revoke")))
      await attempt("invite.revoke", {invite: invite.id});
  };
  const update = (now) => {
    invite = now;
    const over = now.state === "open" && now.expires < Date.now() ? "expired" : now.state;
    replace(state, badge(t(`invites.state_${over}`), STATE_KIND[over]));
    left.textContent = [t(over === "open" ? "invites.ends" : "invites.made_on",
      {when: over === "open" ? ago(now.expires) : moment(now.created)}),
      over === "open" && now.own ? (now.uses_left < 0 ? t("invites.uses_any") : t("invites.left", {n: now.uses_left})) : "",
      now.protection === "sealed" || now.protection === "classic" ? t(`invites.protection_${now.protection}`) : ""]
      .filter(Boolean).join(" · ");
    replace(actions,
      linkOf(now) && over === "open" ? [copyButton(linkOf(now)), fitsQr(linkOf(now))
        ? button(t("qr.show"), () => showQr(linkOf(now), t("invites.for_name", {name: now.handle})), {sign: "qr"}) : null] : null,
      over !== "revoked" ? button(t("invites.revoke"), revoke,
        {kind: "quiet danger", sign: "trash", "aria-label": `${t("invites.revoke")}: ${now.handle}`}) : null);
  };
  return {element, update};
}

export function open(root, {arg, query}, app) {
  app.title(t("app.invites"));
  const text = query.get("text") ?? "";
  // An invite is a secret: it does not stay in the browser's history.
  if (text) history.replaceState(history.state, "", "#/invites");
  const list = h("ul.list", {role: "list", "aria-label": t("invites.list")});
  const none = empty("invites", t("invites.none"));
  // Changes tell no links: they are secrets of the account, given only when asked for.
  const links = new Map();
  const linkOf = (invite) => links.get(invite.id);
  const fill = keyed(list, (invite) => invite.id, (invite) => row(linkOf, invite));
  const draw = () => {
    const invites = [...model.invites.values()].sort((a, b) => (b.state === "open") - (a.state === "open")
      || b.created - a.created);
    fill(invites);
    list.hidden = invites.length === 0;
    none.hidden = !list.hidden;
  };
  const own = loaded(async () => {
    const {link: text, key} = await link.ask("account.show");
    return [hint(t("invites.own_help")), handout(t("invites.own_link"), text),
      h("details", {}, h("summary", {}, t("invites.own_block")), handout(t("invites.own_block"), key, {qr: false}))];
  });
  const make = button(t("invites.make"), () => busy(make, makeInvite()), {kind: "primary", sign: "plus"});
  root.append(h("div.page", {}, lead(t("invites.about")),
    card(t("invites.open_title"), openBox(app, {text})),
    card(t("invites.make_title"), hint(t("invites.make_help")), h("div.row", {}, make)),
    card(t("invites.list"), list, none),
    card(t("invites.own_title"), own)));
  const drawAll = async () => {
    draw();
    const unknown = (invite) => invite.own && invite.state === "open" && !links.has(invite.id);
    if (![...model.invites.values()].some(unknown)) return;
    for (const invite of (await link.ask("invite.list").catch(() => ({invites: []}))).invites) links.set(invite.id, invite.link);
    draw();
  };
  drawAll();
  const contact = arg && [...model.contacts.values()].find(({handle}) => handle === arg);
  if (contact) makeInvite(contact);
  return model.on("invites", drawAll);
}
