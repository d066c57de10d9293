// SPDX-License-Identifier: ISC
// Settings: the account, this device, app passwords; for the operator the people and the state of this gateway.
import {avatarOf, busy, causeOf, confirmBox, copyButton, dialog, h, replace, sentence, toast, told} from "../dom.js";
import {keep, setSetting, setting} from "../keep.js";
import {Failure, link} from "../link.js";
import {applyTheme, redraw} from "../main.js";
import {model} from "../model.js";
import {askNotifications} from "../notify.js";
import {ago, bytes, languages, moment, number, setLanguage, t} from "../words.js";
import {chooseAvatar} from "./avatar.js";
import {attempt, badge, button, card, choice, empty, every, facts, field, fingerprintOf, hint, load, notice, toggle} from "./parts.js";

const POLL_MS = 5000;

const password = (autocomplete) => h("input", {type: "password", autocomplete, required: true});

/** A command of the account's own password: a browser's session cannot make app passwords. */
async function askAs(secret, command, args) {
  const plain = String.fromCharCode(...new TextEncoder().encode(`${model.account.name}:${secret}`));
  const answer = await fetch("/api/1/do", {method: "POST", credentials: "omit", cache: "no-store",
    headers: {"Content-Type": "application/json", Authorization: `Basic ${btoa(plain)}`},
    body: JSON.stringify({do: command, ...args})});
  const {done, error} = await answer.json().catch(() => ({}));
  if (answer.status === 401) throw new Failure("denied", t("settings.wrong_password"));
  if (!answer.ok) throw new Failure(error?.code, error?.text ?? `HTTP ${answer.status}`, true);
  return done;
}

const showOnce = (title, text, secret) => dialog({title, body: h("div.stack", {}, notice("warn", t("settings.once")), hint(text),
  h("output.mono.secret", {dir: "ltr"}, secret), h("div.row", {}, copyButton(secret)))});

async function changePassword() {
  const old = password("current-password"), fresh = password("new-password"), again = password("new-password");
  const done = await dialog({
    title: t("settings.password_change"),
    body: h("div.stack", {}, field(t("settings.password_old"), old),
      field(t("settings.password_new"), fresh, t("settings.password_help")), field(t("settings.password_again"), again)),
    actions: [{text: t("app.cancel")}, {text: t("app.save"), kind: "primary", run: async () => {
      if (fresh.value !== again.value) throw new Error(t("settings.password_differ"));
      await link.ask("account.password", {password: fresh.value, old: old.value});
      return true;
    }}],
  });
  if (done) toast(t("settings.password_changed"));
}

function account() {
  const face = h("span.big-avatar"), stateText = h("input", {maxlength: 200, value: model.account.state_text ?? ""});
  const remove = button(t("contacts.remove"), () => attempt("account.set", {avatar: ""}), {kind: "quiet"});
  const file = h("input.hidden", {type: "file", accept: "image/*", tabindex: -1, "aria-hidden": "true", onchange: async () => {
    const [chosen] = file.files;
    file.value = "";
    const data = chosen && await told(chooseAvatar(chosen));
    if (data) await attempt("account.set", {avatar: data});
  }});
  const draw = () => {
    replace(face, avatarOf(model.account.name, model.account.fingerprint, model.account.avatar));
    remove.hidden = !model.account.avatar;
  };
  draw();
  const save = button(t("app.save"), async () => {
    if (await busy(save, attempt("account.set", {state_text: stateText.value.trim()}))) toast(t("settings.saved"));
  });
  return {off: model.on("account", draw), body: [
    card(t("settings.account"), h("div.row", {}, face, h("div.stack", {}, h("strong", {}, h("bdi", {}, model.account.name)),
      h("div.row", {}, file, button(t("settings.avatar_choose"), () => file.click(), {sign: "image"}), remove))),
    hint(t("settings.avatar_help")),
    h("div.row.end", {}, h("div.grow", {}, field(t("settings.state_text"), stateText)), save),
    hint(t("settings.state_text_help")),
    toggle(t("settings.typing"), model.account.typing, (on) => attempt("account.set", {typing: on}), t("settings.typing_help"))),
    card(t("settings.key"), hint(t("settings.key_help")), fingerprintOf(model.account.fingerprint),
      h("p", {}, h("a", {href: "#/invites"}, t("contacts.give_key")))),
    card(t("settings.password"), h("div.row", {}, button(t("settings.password_change"), changePassword, {sign: "lock"}))),
  ]};
}

async function setNotifications(value, select) {
  const answer = value === "off" ? "granted" : await askNotifications();
  if (answer !== "granted") {
    select.value = value = "off";
    toast(t(answer === "unsupported" ? "settings.notify_unsupported" : "settings.notify_denied"), "bad");
  }
  setSetting("notify", value);
}

async function changeLanguage(code) {
  await told(setLanguage(code));
  redraw();
}

function changeTheme(value) {
  setSetting("theme", value || null);
  applyTheme();
}

function device() {
  const leave = button(t("settings.sign_out"), async () => {
    if (await confirmBox(t("settings.sign_out_sure"), t("settings.sign_out"))) await busy(leave, told(link.signOut()));
  }, {kind: "danger", sign: "signout"});
  const themes = ["", "light", "dark"].map((value) => [value, t(`settings.theme_${value || "system"}`)]);
  const notices = ["off", "hidden", "name", "text"].map((value) => [value, t(`settings.notify_${value}`)]);
  const notifying = globalThis.Notification?.permission === "granted" ? setting("notify", "name") : "off";
  return {body: [
    card(t("settings.look"),
      field(t("settings.language"),
        choice([["", t("settings.as_browser")], ...Object.entries(languages)], setting("language", ""), changeLanguage)),
      field(t("settings.theme"), choice(themes, setting("theme", ""), changeTheme))),
    card(t("settings.notifications"), field(t("settings.notify"), choice(notices, notifying, setNotifications), t("settings.notify_help"))),
    card(t("settings.this_device"),
      toggle(t("settings.own_device"), keep.own, (on) => keep.setOwn(on), t("settings.own_device_help")),
      h("div.row", {}, leave)),
  ]};
}

const scopeWord = (scope) => t(`settings.scope_${scope === "*" ? "all" : scope}`);

async function newPassword(refresh) {
  const label = h("input", {maxlength: 60, placeholder: t("settings.label_example")}), own = password("current-password");
  const scope = choice(["irc", "mail", "web", "control", "*"].map((value) => [value, scopeWord(value)]), "irc");
  const made = await dialog({
    title: t("settings.app_new"),
    body: h("div.stack", {}, field(t("settings.label"), label), field(t("settings.scope"), scope),
      field(t("settings.password_yours"), own, t("settings.password_why"))),
    actions: [{text: t("app.cancel")}, {text: t("settings.make"), kind: "primary",
      run: () => askAs(own.value, "app_password.new", {label: label.value.trim(), scope: scope.value})}],
  });
  if (!made) return;
  refresh();
  await showOnce(t("settings.app_made"), t("settings.app_use", {account: model.account.name}), made.password);
}

function passwordRow(entry, refresh) {
  const used = entry.last_used ? t("settings.used", {when: ago(entry.last_used)}) : t("settings.never_used");
  const ends = entry.idle ? t("settings.ends_after", {n: Math.round(entry.idle / 86400)}) : "";
  return h("li.item", {}, h("div.grow.stack-tight", {}, h("strong", {}, h("bdi", {}, entry.label)),
    hint([scopeWord(entry.scope), used, ends].filter(Boolean).join(" · "))),
  entry.own ? badge(t("settings.this_browser"), "good") : button(t("invites.revoke"), async () => {
    if (!await confirmBox(t("settings.revoke_sure", {name: entry.label}), t("invites.revoke"))) return;
    await attempt("app_password.revoke", {app_password: entry.id});
    refresh();
  }, {kind: "quiet danger", sign: "trash"}));
}

function passwords() {
  const list = h("div");
  const refresh = () => load(list, async () => {
    const {app_passwords: all} = await link.ask("app_password.list");
    all.sort((a, b) => b.last_used - a.last_used);
    return all.length ? h("ul.list", {role: "list"}, all.map((entry) => passwordRow(entry, refresh)))
      : empty("key", t("settings.app_none"));
  });
  refresh();
  return {body: [card(t("settings.passwords"), hint(t("settings.app_help")),
    h("div.row", {}, button(t("settings.app_new"), () => newPassword(refresh), {kind: "primary", sign: "plus"})), list)]};
}

async function addPerson(refresh) {
  const name = h("input", {maxlength: 32, autocapitalize: "off", spellcheck: "false"});
  const person = h("input", {maxlength: 60}), operator = h("input", {type: "checkbox"});
  const made = await dialog({
    title: t("settings.person_add"),
    body: h("div.stack", {}, field(t("settings.person_account"), name, t("signin.name_hint")),
      field(t("settings.person_name"), person, t("settings.person_name_help")),
      h("label.check", {}, operator,
        h("span", {}, t("settings.operator"), h("small.hint", {}, ` ${t("settings.operator_help")}`)))),
    actions: [{text: t("app.cancel")}, {text: t("settings.person_add"), kind: "primary",
      run: () => link.ask("account.add", {name: name.value.trim(), operator: operator.checked,
        ...(person.value.trim() ? {person: person.value.trim()} : {})})}],
  });
  if (!made) return;
  refresh();
  await showOnce(t("settings.person_added", {name: made.name}), t("settings.person_tell"), made.password);
}

async function removePerson(entry, refresh) {
  const typed = h("input", {autocomplete: "off", autocapitalize: "off", spellcheck: "false"});
  const done = await dialog({
    title: t("settings.person_remove", {name: entry.name}),
    body: h("div.stack", {}, notice("bad", t("settings.person_remove_text")),
      field(t("settings.type_name", {name: entry.name}), typed)),
    actions: [{text: t("app.cancel")}, {text: t("contacts.remove"), kind: "danger", run: async () => {
      if (typed.value.trim() !== entry.name) throw new Error(t("settings.type_name", {name: entry.name}));
      await link.ask("account.remove", {account: entry.name, sure: true});
      return true;
    }}],
  });
  if (done) refresh();
}

const personRow = (entry, refresh) => h("li.item", {}, avatarOf(entry.name, entry.fingerprint),
  h("div.grow.stack-tight", {}, h("strong", {}, h("bdi", {}, entry.name)),
    hint(t("settings.person_since", {when: moment(entry.created)}))),
  entry.operator ? badge(t("settings.operator")) : null,
  entry.name === model.account.name ? badge(t("settings.you"), "good")
    : button(t("contacts.remove"), () => removePerson(entry, refresh), {kind: "quiet danger", sign: "trash"}));

function people() {
  const list = h("div");
  const refresh = () => load(list, async () =>
    h("ul.list", {role: "list"}, (await link.ask("account.list")).accounts.map((entry) => personRow(entry, refresh))));
  refresh();
  return {body: [card(t("settings.people"), hint(t("settings.people_help")),
    h("div.row", {}, button(t("settings.person_add"), () => addPerson(refresh), {kind: "primary", sign: "plus"})), list)]};
}

function vault() {
  const key = h("input.mono", {type: "password", autocomplete: "off", maxlength: 64, dir: "ltr"});
  const unlock = button(t("settings.unlock"), async () => {
    if (await busy(unlock, attempt("unlock", {vault_key: key.value.trim()}))) toast(t("settings.unlocked"));
    key.value = "";
  }, {kind: "primary", sign: "lock-open"});
  return h("div.stack", {}, notice("warn", t("settings.vault_help")), field(t("settings.vault_key"), key),
    h("div.row", {}, unlock));
}

const PHASE_KIND = {starting: "warn", ready: "good", failed: "bad"};

function gateway() {
  const shown = h("div.stack"), lock = h("div");
  // What is no list is no address: the link of the first run, which is a secret.
  const listening = (where) => Object.entries(where).filter(([, list]) => Array.isArray(list))
    .flatMap(([name, list]) => list.map((entry) => h("div", {}, `${name}: `, h("bdi.mono", {}, entry))));
  const turn = every(POLL_MS, async () => {
    const now = await link.ask("status");
    const open = now.vault === "open";
    if (open === lock.hasChildNodes()) replace(lock, open ? null : vault());
    replace(shown, h("div.row", {},
      badge(t(`settings.phase_${now.phase}`), PHASE_KIND[now.phase]),
      open ? badge(t("settings.vault_open"), "good", "lock-open") : badge(t("settings.vault_locked"), "warn", "lock")),
    now.phase_text ? hint(sentence(now.phase_text)) : null, now.store.disk_full ? notice("bad", t("settings.disk_full")) : null,
    facts([[t("friends.name"), now.name], [t("friends.version"), `retrogate ${now.version}`],
      [t("network.up_since"), ago(Date.now() - now.uptime_ms)],
      [t("settings.listening"), h("div", {dir: "ltr"}, listening(now.listening))],
      [t("app.friends"), t("friends.up_of", {n: now.friends.total, up: number(now.friends.up)})],
      [t("network.tunnels"), t("network.tunnels_text", {own: number(now.tunnels.own), relayed: number(now.tunnels.relayed)})],
      [t("network.forwarded"), bytes(now.traffic.bytes_forwarded)], [t("settings.people"), number(now.accounts)]]),
    h("h3", {}, t("friends.fingerprint")), fingerprintOf(now.fingerprint));
  });
  return {off: turn, body: [card(t("settings.gateway"), shown, lock)]};
}

function commands() {
  const out = h("pre.console.mono", {role: "log", tabindex: 0, "aria-label": t("settings.answers"), dir: "auto"});
  const line = h("input.mono", {autocapitalize: "off", autocomplete: "off", spellcheck: "false", placeholder: "help"});
  const past = [];
  let at = 0;
  const say = (text, kind) => {
    out.append(h("span", {class: kind}, text, "\n"));
    out.scrollTop = out.scrollHeight;
  };
  const run = async (event) => {
    event.preventDefault();
    const text = line.value.trim() || "help";
    at = past.push(text);
    line.value = "";
    say(`› ${text}`, "asked");
    await link.ask("verb", {text}).then(({lines}) => lines.forEach((each) => say(each)),
      (failure) => say(causeOf(failure), "failed"));
  };
  line.addEventListener("keydown", ({key}) => {
    const step = {ArrowUp: -1, ArrowDown: 1}[key];
    if (!step || past.length === 0) return;
    at = Math.max(0, Math.min(past.length, at + step));
    line.value = past[at] ?? "";
  });
  return {body: [card(t("settings.commands"), hint(t("settings.commands_help")), out,
    h("form.row.end", {onsubmit: run}, h("div.grow", {}, field(t("settings.command"), line)),
      h("button.button.primary", {}, t("settings.run"))))]};
}

// --- how posts reach this account, and how a mail client is set up for them

const DAY = 86_400;
const WAITS = [1, 3, 7, 14, 30, 60];
const STRANGERS_MOST = 1000;

const set = async (values) => (await attempt("account.set", values)) && toast(t("settings.saved"));

/** The choices, and what is set when it is none of them. */
const withNow = (days, now) => [...new Set([...days.map((n) => n * DAY), now])].sort((a, b) => a - b)
  .map((seconds) => [seconds, t("posts.days", {n: Math.round(seconds / DAY)})]);

function mailClients() {
  const ports = h("div");
  const {name} = model.account;
  const draw = (where) => {
    const row = (list) => (list?.length ? h("span.stack-tight", {dir: "ltr"}, list.map((each) => h("bdi.mono", {}, each))) : null);
    replace(ports, where && !where.submission?.length && !where.pop3?.length ? notice("", t("posts.mail_off")) : null,
      facts([[t("posts.mail_user"), h("bdi.mono", {}, name)], [t("settings.password"), h("a", {href: "#/settings/passwords"}, t("settings.app_new"))],
        [t("posts.mail_out"), where ? row(where.submission) : t("posts.mail_ask")],
        [t("posts.mail_in"), where ? row(where.pop3) : t("posts.mail_ask")],
        [t("posts.mail_security"), t("posts.mail_tls")]]));
  };
  draw(null);
  if (model.operator) link.ask("status").then(({listening}) => draw(listening), () => {});
  return card(t("posts.mail"), hint(t("posts.mail_help")), ports);
}

function posts() {
  const {posts: now} = model.account;
  const strangers = h("input", {type: "number", min: 0, max: STRANGERS_MOST, value: now.strangers, inputmode: "numeric"});
  const forward = h("input", {type: "email", value: now.forward, autocomplete: "off", dir: "ltr"});
  const told = h("div");
  const draw = () => {
    const {forwarding, maildir} = model.account.posts;
    replace(told, forwarding ? notice("", h("p", {}, sentence(forwarding))) : null,
      maildir ? facts([["Maildir", h("bdi.mono", {dir: "ltr"}, maildir)]]) : null);
  };
  draw();
  const save = (values) => {
    const done = button(t("app.save"), () => busy(done, set(values())));
    return done;
  };
  const line = (label, input, help, values) => h("div.stack", {}, field(label, input, help), h("div.row", {}, save(values)));
  return {off: model.on("account", () => model.account && draw()), body: [
    card(t("posts.reach"), toggle(t("posts.universal"), now.universal, (universal) => set({universal}), t("posts.universal_help")),
      line(t("posts.strangers"), strangers, t("posts.strangers_help"), () => ({strangers: Number(strangers.value)})),
      h("p", {}, h("a", {href: "#/posts/links"}, t("posts.link_title")))),
    card(t("posts.sending"), field(t("posts.wait"), choice(withNow(WAITS, now.wait), now.wait, (wait) => set({wait: Number(wait)})), t("posts.wait_help"))),
    card(t("posts.forward"), line(t("posts.forward_to"), forward, t("posts.forward_help"), () => ({forward: forward.value.trim()})), told),
    mailClients()]};
}

const PARTS = {account, posts, device, passwords, people, gateway, commands};
const FOR_OPERATOR = new Set(["people", "gateway"]);

export function open(root, {arg}, app) {
  const allowed = Object.keys(PARTS).filter((name) => model.operator || !FOR_OPERATOR.has(name));
  const name = allowed.includes(arg) ? arg : "account";
  app.title(t("app.settings"));
  const {body, off} = PARTS[name]();
  root.append(h("div.page", {}, h("nav.tabs", {"aria-label": t("app.settings")}, allowed.map((each) =>
    h("a", {href: `#/settings/${each}`, "aria-current": each === name ? "page" : null}, t(`settings.${each}`)))), body));
  return off;
}
