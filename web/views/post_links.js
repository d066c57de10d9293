// SPDX-License-Identifier: ISC
// Links by which somebody may write to this account, and those of others, opened.
import {busy, causeOf, confirmBox, copyButton, dialog, h, replace, sentence} from "../dom.js";
import {link} from "../link.js";
import {fitsQr, showQr} from "../qr.js";
import {moment, t} from "../words.js";
import {attempt, badge, button, card, choice, empty, field, handout, hint, load, notice} from "./parts.js";

const DAY = 86_400;
const STATES = {open: ["good", "check"], expired: ["", "clock"], revoked: ["", "close"]};

async function make(refresh) {
  const valid = choice([[DAY, t("invites.valid_day")], [7 * DAY, t("invites.valid_week")], [30 * DAY, t("invites.valid_month")],
    [365 * DAY, t("posts.valid_year")]], 30 * DAY);
  const made = await dialog({title: t("posts.link_new"), body: h("div.stack", {}, hint(t("posts.link_means")), field(t("invites.valid"), valid)),
    actions: [{text: t("app.cancel")}, {text: t("settings.make"), kind: "primary",
      run: () => link.ask("post.link.new", {valid: Number(valid.value)})}]});
  if (!made) return;
  refresh();
  await dialog({title: t("posts.link_made"), body: handout(t("posts.link"), made.link)});
}

function row(entry, refresh) {
  const revoke = async () => {
    if (!await confirmBox(t("posts.link_revoke_sure"), t("invites.revoke"))) return;
    await attempt("post.link.revoke", {link: entry.id});
    refresh();
  };
  const open = entry.state === "open";
  return h("li.item", {}, h("div.grow.stack-tight", {}, h("strong", {}, t("posts.link_from", {when: moment(entry.created)})),
    hint(t("invites.valid_until", {when: moment(entry.expires)}))), badge(t(`posts.link_${entry.state}`), ...STATES[entry.state]),
  open ? h("div.row", {}, copyButton(entry.link), fitsQr(entry.link) ? button(t("qr.show"), () => showQr(entry.link, t("posts.link")), {sign: "qr"}) : null,
    button(t("invites.revoke"), revoke, {kind: "quiet danger", sign: "trash"})) : null);
}

/** Somebody's link: opened, and then one may write. */
function opener(text, app) {
  const area = h("textarea.mono", {rows: 3, dir: "ltr", spellcheck: "false", autocapitalize: "off", value: text});
  const key = h("textarea.mono", {rows: 3, dir: "ltr", spellcheck: "false", autocapitalize: "off"});
  const more = h("div", {hidden: true}, field(t("posts.link_key"), key, t("posts.link_key_help")));
  const said = h("div", {"aria-live": "polite"});
  const go = button(t("posts.link_use"), async () => {
    try {
      const {contact, subject, warnings} = await busy(go, link.ask("post.link.open", {link: area.value.trim(), ...(key.value.trim() ? {key: key.value.trim()} : {})}));
      const name = contact.name || contact.handle;
      replace(said, notice(warnings.length ? "warn" : "good", h("p", {}, t("posts.link_opened", {name})),
        warnings.map((warning) => h("p", {}, sentence(warning))),
        button(t("posts.write"), () => app.go(`/posts/new?to=${contact.handle}&subject=${encodeURIComponent(subject)}`), {kind: "primary", sign: "edit"})));
    } catch (failure) {
      more.hidden &&= failure.code !== "not-found";
      replace(said, notice("bad", h("p", {}, causeOf(failure))));
    }
  }, {kind: "primary"});
  return [field(t("posts.link_given"), area, t("posts.link_given_help")), more, said, h("div.row", {}, go)];
}

export function openLinks(root, tabs, app, text = "") {
  app.title(t("app.posts"));
  const list = h("div");
  const refresh = () => load(list, async () => {
    const {links} = await link.ask("post.link.list");
    links.sort((a, b) => (b.state === "open") - (a.state === "open") || b.created - a.created);
    return links.length ? h("ul.list", {role: "list", "aria-label": t("posts.box_links")}, links.map((entry) => row(entry, refresh)))
      : empty("link", t("posts.link_none"));
  });
  refresh();
  root.append(h("div.page.posts-page", {}, tabs,
    card(t("posts.link_title"), hint(t("posts.link_means")),
      h("div.row", {}, button(t("posts.link_new"), () => make(refresh), {kind: "primary", sign: "plus"})), list),
    card(t("posts.link_open_title"), opener(text, app))));
}
