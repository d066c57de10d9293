// SPDX-License-Identifier: ISC
// The open box: takes anything a person was sent, says what it is, and does the next step when told to.
import {busy, causeOf, h, iconButton, replace, sentence, told} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {canScan, readCamera, readPicture} from "../qr.js";
import {moment, t} from "../words.js";
import {find} from "./found.js";
import {badge, button, choice, field, fingerprintOf, hint, notice} from "./parts.js";

const finding = (sign, title, ...children) =>
  h("li.finding.card.stack", {}, h("h3.row", {}, badge(title, "", sign)), children);

const asKey = (key) => (key.name ? t("invites.key_of", {name: key.name}) : t("invites.key"));

/* Calls `step()`; its element takes the place of the button, a failure is shown below it. */
function action(text, step, onFailure = () => null) {
  const area = h("div.stack", {"aria-live": "polite"});
  const go = button(text, async () => {
    try {
      replace(area, await busy(go, step()));
    } catch (failure) {
      replace(area, go, notice("bad", h("p", {}, causeOf(failure)), onFailure(failure)));
    }
  }, {kind: "primary"});
  return replace(area, go);
}

function inviteFound(invite, keys, app, heard) {
  const own = model.account?.fingerprint.slice(-16);
  if (own && invite.to !== own)
    return finding("invites", t("invites.invite"), notice("bad", t("invites.not_for_you", {key: invite.to})));
  if (invite.expires < Date.now())
    return finding("invites", t("invites.invite"), notice("bad", t("invites.is_expired", {when: moment(invite.expires)})));
  let key = keys[0];
  const which = keys.length > 1
    ? field(t("invites.whose"), choice(keys.map((entry, i) => [i, asKey(entry)]), 0, (i) => { key = keys[i]; })) : null;
  const opened = async () => {
    const done = await link.ask("invite.open", {link: invite.text, ...(key ? {key: key.text} : {})});
    heard.opened?.(done);
    return [notice(done.warnings.length ? "warn" : "good", h("p", {}, t("invites.opened", {name: done.name || done.handle})),
      done.warnings.map((warning) => h("p", {}, sentence(warning)))),
    button(t("invites.go_talk"), () => app.go(`#/chat/${done.handle}`), {kind: "primary", sign: "chats"})];
  };
  return finding("invites", t("invites.invite_for_you"),
    hint(t("invites.valid_until", {when: moment(invite.expires)}), " ",
      key ? t("invites.with_key", {key: asKey(key)}) : t("invites.without_key")),
    which, action(t("invites.open"), opened,
      (failure) => (failure.code === "not-found" ? h("p", {}, t("invites.add_key")) : null)));
}

function keyFound(key, app, heard) {
  const added = async () => {
    const contact = await link.ask("contact.add", {key: key.text});
    heard.contact?.(contact);
    return [notice("good", h("p", {}, t("invites.added", {name: contact.name, handle: contact.handle})),
      h("p", {}, t("contacts.compare")), fingerprintOf(contact.fingerprint)),
    heard.contact ? null
      : button(t("invites.make_for", {name: contact.name}), () => app.go(`#/invites/${contact.handle}`),
        {kind: "primary", sign: "invites"})];
  };
  return finding("key", asKey(key), hint(t("invites.key_means")), action(t("invites.add_contact"), added));
}

/* retrogatectl tells both forms of a certificate; the full one says more. */
const replaced = (node, nodes) => !node.full && nodes.some(({full, location}) => full && location === node.location);

function nodeFound(node, heard) {
  const title = t("invites.node", {name: node.name || "?"});
  if (!model.operator) return finding("friends", title, notice("", t("invites.node_not_operator")));
  const added = async () => {
    const friend = await link.ask("friend.add", {text: node.text});
    heard.friend?.(friend);
    return notice("good", h("p", {}, t("friends.added", {name: friend.name})),
      node.full ? null : h("p", {}, t("friends.added_short")));
  };
  return finding("friends", title, hint(node.full ? t("invites.node_full") : t("invites.node_short")),
    action(t("friends.add"), added));
}

/**
 * An element to paste into. heard: {opened(conversation), contact(contact), friend(friend)}, called when it was done.
 */
export function openBox(app, {label, help, text = "", heard = {}} = {}) {
  const list = h("ul.findings", {role: "list"});
  const count = h("p.hidden", {role: "status"});
  let shown;
  const look = () => {
    const found = find(area.value);
    clear.hidden = !area.value;
    // What was done stays to be read while only the text around it changes.
    const now = JSON.stringify(found);
    if (now === shown) return;
    shown = now;
    const keysUsed = found.invites.length > 0;
    const rows = [
      found.secret ? finding("alert", t("invites.secret"), notice("bad", t("invites.secret_text"))) : null,
      ...found.invites.map((invite) => inviteFound(invite, found.keys, app, heard)),
      ...(keysUsed ? [] : found.keys.map((key) => keyFound(key, app, heard))),
      ...found.nodes.filter((node) => !replaced(node, found.nodes)).map((node) => nodeFound(node, heard)),
      ...found.posts.map(({text}) => finding("posts", t("posts.link"), h("div.row", {}, button(t("posts.link_open_title"),
        () => app.go(`/posts/links?text=${encodeURIComponent(text)}`), {sign: "posts"})))),
      ...found.others.map((kind) => finding("link", t("invites.unknown", {kind}), hint(t("invites.unknown_text")))),
    ].filter(Boolean);
    count.textContent = area.value.trim() ? t("invites.found", {n: rows.length}) : "";
    replace(list, rows.length || !area.value.trim() ? rows : h("li", {}, notice("warn", t("invites.nothing"))));
  };
  const clear = iconButton("close", t("invites.clear"), () => { area.value = ""; look(); area.focus(); }, {hidden: !text});
  const area = h("textarea.mono", {rows: 4, dir: "auto", spellcheck: "false", autocapitalize: "off", value: text, oninput: look});
  const take = (more) => {
    if (more === undefined) return;
    area.value = area.value.trim() ? `${area.value.trim()}\n${more}` : more;
    look();
  };
  const file = h("input.hidden", {type: "file", accept: "image/*", tabindex: "-1", "aria-hidden": "true", onchange: async () => {
    const [picture] = file.files;
    file.value = "";
    const read = picture && await told(readPicture(picture));
    if (read !== undefined) take(read || t("qr.none"));
  }});
  const tools = h("div.row", {},
    navigator.clipboard?.readText
      ? button(t("invites.paste"), async () => take(await told(navigator.clipboard.readText())), {sign: "copy"}) : null,
    clear);
  canScan().then((can) => {
    if (!can) return;
    tools.prepend(file, button(t("qr.picture"), () => file.click(), {sign: "image"}));
    if (navigator.mediaDevices?.getUserMedia)
      tools.prepend(button(t("qr.scan"), async () => take(await told(readCamera())), {sign: "camera"}));
  });
  if (text) look();
  return h("div.open-box.stack", {}, field(label ?? t("invites.box"), area, help ?? t("invites.box_help")), tools, count, list);
}
