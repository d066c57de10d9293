// SPDX-License-Identifier: ISC
// Contacts: who they are, how far they may reach you, and who you are towards them.
import {avatarOf, confirmBox, dialog, h, icon, replace, sentence, toast} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {moment, t} from "../words.js";
import {makeInvite} from "./invites.js";
import {stateMark} from "./line.js";
import {openBox} from "./openbox.js";
import {attempt, badge, button, card, empty, facts, field, fingerprintOf, handout, hint, keyed, lead, load, notice} from "./parts.js";
import {protectionMark} from "./protection.js";

const PRESENCE = ["always", "open", "never"];
const HANDLE = "[a-z0-9_\\-]{1,24}";

function presenceChoice(contact) {
  const name = `presence-${contact.id}`;
  return h("fieldset.stack", {}, h("legend", {}, t("contacts.presence")), PRESENCE.map((value) => h("label.choice", {},
    h("input", {type: "radio", name, value, checked: contact.presence === value,
      onchange: () => attempt("contact.set", {contact: contact.id, presence: value})}),
    h("span", {}, h("strong", {}, t(`contacts.presence_${value}`)), h("small.hint", {}, t(`contacts.presence_${value}_help`))))));
}

async function rename(contact) {
  const handle = h("input", {value: contact.handle, pattern: HANDLE, maxlength: 24, autocapitalize: "off", spellcheck: "false"});
  const name = h("input", {value: contact.name, maxlength: 100});
  await dialog({
    title: t("contacts.rename"),
    body: h("div.stack", {}, field(t("contacts.handle"), handle, t("contacts.handle_help")), field(t("friends.name"), name)),
    actions: [{text: t("app.cancel")}, {text: t("app.save"), kind: "primary",
      run: () => link.ask("contact.set", {contact: contact.id, handle: handle.value.trim(), name: name.value.trim()})}],
  });
}

async function remove(contact, app) {
  if (!await confirmBox(t("contacts.remove_sure", {name: contact.name || contact.handle}), t("contacts.remove"))) return;
  if (await attempt("contact.remove", {contact: contact.id})) {
    toast(t("contacts.removed"));
    app.go("#/contacts");
  }
}

function detail(root, contact, app) {
  const talk = model.conversation(contact.conversation);
  const key = h("div");
  const showKey = h("details.card", {ontoggle: () => {
    if (showKey.open && !key.hasChildNodes())
      load(key, async () => {
        const {key: block} = await link.ask("contact.show", {contact: contact.id});
        return handout(t("invites.own_block"), block, {qr: false});
      });
  }}, h("summary", {}, t("invites.own_block")), key);
  const presence = h("div", {}, presenceChoice(contact));
  const parts = h("div.stack.loose");
  const draw = () => {
    const now = model.contacts.get(contact.id);
    if (!now) return;
    contact = now;
    const name = now.name || now.handle;
    app.setHeader(h("div.row.person", {},
      h("a.icon-button", {href: "#/contacts", "aria-label": t("contacts.all"), title: t("contacts.all")}, icon("back")),
      avatarOf(name, now.fingerprint, talk?.avatar),
      h("h1", {tabindex: -1}, h("bdi", {}, name), " ", h("small.hint", {}, h("bdi", {}, now.handle)))));
    replace(parts,
      h("div.row", {},
        talk ? button(t("contacts.talk"), () => app.go(`#/chat/${now.handle}`), {kind: "primary", sign: "chats"}) : null,
        button(t("invites.invite_them"), () => makeInvite(now), {kind: talk ? "" : "primary", sign: "invites"}),
        button(t("contacts.rename"), () => rename(now), {sign: "edit"}),
        button(t("contacts.remove"), () => remove(now, app), {kind: "quiet danger", sign: "trash"})),
      talk ? null : notice("", t("contacts.no_talk")),
      card(t("contacts.who"), hint(t("contacts.compare")), fingerprintOf(now.fingerprint),
        facts([[t("contacts.since"), moment(now.created)],
          [t("friends.state"), talk ? h("span.row", {}, stateMark(talk), sentence(talk.reason)) : null],
          [t("contacts.protection"), talk ? h("span.stack-tight", {}, protectionMark(talk), sentence(talk.protection_text)) : null]])));
  };
  draw();
  root.append(h("div.page", {}, parts,
    card(t("contacts.reach"), presence), card(t("contacts.you"), persona()), showKey));
  const offs = [model.on("contacts", draw), model.on("conversations", draw)];
  return () => offs.forEach((off) => off());
}

/** Who I am towards my contacts: one PGP identity for all of them. */
const persona = () => [hint(t("contacts.persona")),
  facts([[t("friends.name"), h("bdi", {}, model.account?.name ?? "")],
    [t("friends.fingerprint"), model.account?.fingerprint ? fingerprintOf(model.account.fingerprint) : null]]),
  h("p", {}, h("a", {href: "#/invites"}, t("contacts.give_key")))];

function row(contact) {
  const face = h("span"), name = h("bdi"), small = h("span.hint"), state = h("span");
  const element = h("li.item", {}, h("a.row.cover", {href: `#/contacts/${contact.handle}`}, face,
    h("span.grow.stack-tight", {}, h("strong", {}, name), small), state));
  const update = (now) => {
    const talk = model.conversation(now.conversation);
    element.firstChild.href = `#/contacts/${now.handle}`;
    replace(face, avatarOf(now.name || now.handle, now.fingerprint, talk?.avatar));
    name.textContent = now.name || now.handle;
    small.textContent = `${now.handle} · ${t(`contacts.presence_${now.presence}`)}`;
    replace(state, talk ? stateMark(talk) : badge(t("contacts.no_conversation")));
  };
  return {element, update};
}

function all(root, app) {
  const list = h("ul.list", {role: "list", "aria-label": t("app.contacts")});
  const none = empty("contacts", t("contacts.none"), h("a.button.primary", {href: "#/guide"}, t("contacts.guide")));
  const fill = keyed(list, (contact) => contact.id, row);
  const draw = () => {
    const contacts = [...model.contacts.values()].sort((a, b) => a.handle.localeCompare(b.handle));
    fill(contacts);
    list.hidden = contacts.length === 0;
    none.hidden = !list.hidden;
  };
  root.append(h("div.page", {}, lead(t("contacts.about")),
    card(null, list, none),
    card(t("contacts.add"), openBox(app, {label: t("contacts.add_label"), help: t("contacts.add_help")})),
    card(t("contacts.you"), persona())));
  draw();
  const offs = [model.on("contacts", draw), model.on("conversations", draw)];
  return () => offs.forEach((off) => off());
}

export function open(root, params, app) {
  const contact = params.arg && [...model.contacts.values()].find(({handle}) => handle === params.arg);
  app.title(contact ? contact.name || contact.handle : t("app.contacts"));
  return contact ? detail(root, contact, app) : all(root, app);
}
