// SPDX-License-Identifier: ISC
// Friends: the nodes that this gateway is linked with. They belong to the gateway, so its operator keeps them.
import {confirmBox, dialog, dotted, h, replace, sentence} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {ago, bytes, moment, number, t} from "../words.js";
import {openBox} from "./openbox.js";
import {attempt, badge, button, card, empty, every, facts, field, fingerprintOf, handout, hint, keyed, lead, loaded, notice} from "./parts.js";

const POLL_MS = 3000;
const STATE_KIND = {up: "good", limited: "warn", handshake: "warn", connecting: "warn", offline: "bad"};
const ORDER = Object.keys(STATE_KIND);

export const friendBadge = (friend) => badge(t(`friends.state_${friend.state}`), STATE_KIND[friend.state]);
const roundTrip = (friend) => (friend.rtt_us ? t("friends.ms", {n: Math.max(1, Math.round(friend.rtt_us / 1000))}) : null);
const traffic = (friend) => t("friends.traffic_text", {in: bytes(friend.bytes_in), out: bytes(friend.bytes_out)});

async function edit(friend) {
  const name = h("input", {value: friend.name, maxlength: 100});
  const addresses = h("textarea.mono", {rows: 3, dir: "ltr", spellcheck: "false", value: friend.addresses.join("\n")});
  await dialog({
    title: t("friends.edit"),
    body: h("div.stack", {}, field(t("friends.name"), name),
      field(t("friends.addresses"), addresses, t("friends.addresses_help"))),
    actions: [{text: t("app.cancel")}, {text: t("app.save"), kind: "primary", run: () => link.ask("friend.set",
      {friend: friend.location, name: name.value.trim(), addresses: addresses.value.split(/\s+/).filter(Boolean)})}],
  });
}

/** What one friend is doing, as facts. */
export const friendFacts = (friend) => facts([
  [t("friends.reason"), sentence(friend.reason)],
  [t("friends.address"), friend.address && h("bdi", {}, friend.address, friend.incoming ? ` (${t("friends.incoming")})` : "")],
  [t("friends.round_trip"), roundTrip(friend)],
  [t("friends.traffic"), traffic(friend)],
  [t("friends.version"), friend.version],
  [t("friends.last_seen"), friend.state !== "up" && friend.last_seen ? moment(friend.last_seen) : null],
  [t("friends.next_try"), friend.next_try > Date.now() ? ago(friend.next_try) : null],
]);

function row(friend, refresh) {
  const name = h("bdi"), short = h("span.hint"), state = h("span"), body = h("div.stack");
  const act = async (command, args) => {
    await attempt(command, {friend: friend.location, ...args});
    refresh();
  };
  const element = h("li", {}, h("details.item", {},
    h("summary.row", {}, h("span.grow.stack-tight", {}, h("h2", {}, name), short), state),
    body,
    h("div.row", {}, button(t("friends.connect"), () => act("friend.connect"), {sign: "refresh"}),
      button(t("friends.edit"), () => edit(friend).then(refresh), {sign: "edit"}),
      button(t("contacts.remove"), async () => {
        if (await confirmBox(t("friends.remove_sure", {name: friend.name}), t("contacts.remove"))) act("friend.remove");
      }, {kind: "quiet danger", sign: "trash"})),
    h("div.stack", {}, h("h3", {}, t("friends.fingerprint")), fingerprintOf(friend.fingerprint),
      facts([[t("friends.location"), h("code", {dir: "ltr"}, friend.location)],
        [t("friends.added_on"), moment(friend.added)]]))));
  const update = (now) => {
    friend = now;
    name.textContent = now.name;
    replace(short, dotted(now.state === "up" ? roundTrip(now) : sentence(now.reason), traffic(now)));
    if (state.dataset.state !== now.state) replace(state, friendBadge(now)).dataset.state = now.state;
    // Not while somebody selects text of it.
    if (!body.contains(getSelection()?.anchorNode))
      replace(body, friendFacts(now), now.verified ? null : notice("warn", t("friends.not_verified")));
  };
  return {element, update};
}

function attemptRow(entry) {
  const text = h("span.hint");
  return {
    element: h("li.item", {}, h("div.stack-tight", {}, h("strong", {}, t("friends.attempt", {key: entry.issuer})), text,
      h("span.hint", {}, t(/another/.test(entry.reason) ? "friends.attempt_other" : "friends.attempt_do")))),
    update: (now) => replace(text, dotted(now.address, sentence(now.reason), ago(now.last), t("friends.times", {n: now.count}))),
  };
}

/** This gateway's own certificate, to be given to those who shall be its friends. */
export const ownCertificate = () => loaded(async () => {
  const self = await link.ask("friend.self");
  return [handout(t("friends.short"), self.short), hint(t("friends.short_help")),
    h("details", {}, h("summary", {}, t("friends.full")), hint(t("friends.full_help")), handout(t("friends.full"), self.full)),
    self.addresses.length ? hint(t("friends.reached_at", {addresses: self.addresses.join(", ")}))
      : notice("warn", t("friends.not_listening"))];
});

export function open(root, params, app) {
  app.title(t("app.friends"));
  if (!model.operator) {
    const {total, up} = model.hello?.friends ?? {};
    root.append(h("div.page", {}, empty("friends", t("friends.not_operator"),
      total === undefined ? null : h("p.hint", {}, t("friends.up_of", {n: total, up: number(up)})))));
    return undefined;
  }
  const list = h("ul.list", {role: "list", "aria-label": t("app.friends")}), tries = h("ul.list", {role: "list"});
  const none = empty("friends", t("friends.none")), noTries = hint(t("friends.no_attempts")), sum = h("p.hint", {role: "status"});
  none.hidden = true;
  const refresh = () => turn.now();
  const fill = keyed(list, (friend) => friend.location, (friend) => row(friend, refresh));
  const fillTries = keyed(tries, (entry) => entry.location, attemptRow);
  root.append(h("div.page", {}, lead(t("friends.about")),
    card(null, sum, list, none),
    card(t("friends.add"), openBox(app, {label: t("friends.add_label"), help: t("friends.add_help"), heard: {friend: refresh}})),
    card(t("friends.own"), hint(t("friends.own_help")), ownCertificate()),
    card(t("friends.attempts"), hint(t("friends.attempts_help")), tries, noTries)));
  const turn = every(POLL_MS, async () => {
    const [{friends}, {attempts}] = await Promise.all([link.ask("friend.list"), link.ask("attempts")]);
    friends.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.name.localeCompare(b.name));
    fill(friends);
    fillTries(attempts.sort((a, b) => b.last - a.last));
    list.hidden = friends.length === 0;
    none.hidden = !list.hidden;
    tries.hidden = attempts.length === 0;
    noTries.hidden = !tries.hidden;
    const text = t("friends.up_of", {n: friends.length, up: number(friends.filter((friend) => friend.state === "up").length)});
    if (sum.textContent !== text) sum.textContent = text;
  });
  return turn;
}
