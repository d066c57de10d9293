// SPDX-License-Identifier: ISC
// The network as this gateway sees it, live: itself, its friends, the tunnels that end here and those that pass; and
// what each of them can see.
import {h, icon, replace, svg} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {ago, bytes, number, t} from "../words.js";
import {friendBadge, friendFacts} from "./friends.js";
import {networkMap} from "./netmap.js";
import {every, facts, hint, lead} from "./parts.js";

const POLL_MS = 2000;
const ROLES = ["operator", "friend", "relay", "contact", "observer"];
const KEYS = ["link", "own", "relayed"];

const rateText = (rate) => t("network.rate", {size: bytes(rate)});

/** What comes out of two polls: bytes a second by key. */
function meter() {
  let before = new Map(), then = 0;
  return (totals) => {
    const now = performance.now();
    const rate = (key, total) => (before.has(key) ? Math.max(0, (total - before.get(key)) * 1000 / (now - then)) : 0);
    const rates = new Map([...totals].map(([key, total]) => [key, rate(key, total)]));
    before = totals;
    then = now;
    return rates;
  };
}

/** Tunnels of the same two ends are one way. Ends are friends' locations, "talk <id>", "own", or "friends". */
function waysOf(tunnels) {
  const ways = new Map();
  for (const {role, conversation, towards_initiator: before, towards_endpoint: after, bytes: carried, idle_ms: idle} of tunnels) {
    const here = conversation ? `talk ${conversation}` : "own";
    const ends = [role === "initiator" ? here : before ?? "friends", role === "endpoint" ? here : after ?? "friends"].sort();
    const key = `way ${ends.join("|")}`;
    const way = ways.get(key) ?? {key, ends, relayed: role === "relay", count: 0, bytes: 0, idle};
    ways.set(key, {...way, count: way.count + 1, bytes: way.bytes + carried, idle: Math.min(way.idle, idle)});
  }
  return [...ways.values()];
}

const conversationOf = (key) => (key.startsWith("talk ") ? model.conversation(Number(key.slice(5))) : undefined);

/** The people that own tunnels lead to, each with the friend that the tunnel comes through. */
function peopleOf(ways) {
  const people = new Map();
  for (const {ends, relayed} of ways) {
    const key = ends.find((end) => end.startsWith("talk "));
    if (relayed || !key) continue;
    const name = conversationOf(key)?.handle ?? "?";
    people.set(key, {key, via: ends.find((end) => end !== key), name, say: t("network.far", {name})});
  }
  return [...people.values()];
}

const sees = (role) => h("section.sees", {}, h("h3", {}, t(`network.role_${role}`)),
  [["can", "eye"], ["cannot", "eye-off"]].map(([what, sign]) =>
    h("p.row", {}, icon(sign, t(`network.${what}`)), h("span", {}, t(`network.${role}_${what}`)))));

const legend = () => h("figcaption.legend", {}, KEYS.map((kind) => h("span.row", {},
  svg("svg", {class: "net-key", viewBox: "0 0 32 8", "aria-hidden": "true"},
    svg("g", {class: `net-line ${kind} up`}, svg("path", {d: "M0 4H32", "stroke-width": 3}))),
  t(`network.key_${kind}`))));

function table(caption, heads, rows) {
  const row = (tag, cells, props) => h("tr", {}, cells.map((cell) => h(tag, props, cell)));
  return h("table", {}, h("caption", {}, caption), h("thead", {}, row("th", heads, {scope: "col"})),
    h("tbody", {}, rows.map((cells) => row("td", cells))));
}

/** What stands in the panel for the thing that was picked: [title, badge, children]. */
function detailsOf(chosen, {friends, ways, status, rate, nameOf}) {
  const friend = friends.find(({location}) => location === chosen);
  if (friend) {
    return [friend.name, friendBadge(friend), [friendFacts(friend), facts([[t("network.now"), rateText(rate(chosen))]]),
      h("a", {href: "#/friends"}, t("network.manage"))]];
  }
  const talk = conversationOf(chosen);
  if (talk) {
    return [talk.name || talk.handle, null, [hint(t("network.far", {name: talk.handle})),
      h("a", {href: `#/chat/${talk.handle}`}, t("contacts.talk"))]];
  }
  const way = ways.find(({key}) => key === chosen);
  if (way) {
    return [way.ends.map(nameOf).join(" – "), null, [hint(t(way.relayed ? "network.passes" : "network.ends_here")),
      facts([[t("network.tunnels"), number(way.count)], [t("network.carried"), bytes(way.bytes)],
        [t("network.now"), rateText(rate(chosen))], [t("network.last"), ago(Date.now() - way.idle)]])]];
  }
  if (!status) return [nameOf("me"), null, [hint(t("network.not_operator"))]];
  return [nameOf("me"), null, [facts([
    [t("app.friends"), t("friends.up_of", {n: status.friends.total, up: number(status.friends.up)})],
    [t("network.tunnels"), t("network.tunnels_text", {own: number(status.tunnels.own), relayed: number(status.tunnels.relayed)})],
    [t("network.forwarded"), bytes(status.traffic.bytes_forwarded)],
    [t("network.up_since"), ago(Date.now() - status.uptime_ms)],
  ])]];
}

function rolesOf(chosen) {
  if (chosen.startsWith("role ")) return [chosen.slice(5)];
  if (chosen.startsWith("talk ")) return ["contact", "relay"];
  if (chosen.startsWith("way ")) return ["relay"];
  return [chosen === "me" ? "operator" : "friend"];
}

export function open(root, params, app) {
  app.title(t("app.network"));
  const known = {friends: [], ways: [], status: null, rate: () => 0, nameOf};
  let chosen = "me", width = 0;
  const ratesOf = meter();
  const map = networkMap(t("network.picture"), choose);
  const live = h("div.stack"), about = h("div.stack"), tables = h("div.stack");
  const panel = h("aside.card.stack.net-panel", {"aria-label": t("network.details")}, live, about);
  const asTable = h("details.card", {ontoggle: () => draw()}, h("summary", {}, t("network.table")), tables);

  function nameOf(key) {
    if (key === "me" || key === "own") return known.status?.name ?? t("network.here");
    if (key.startsWith("talk ")) return conversationOf(key)?.handle ?? "?";
    return known.friends.find(({location}) => location === key)?.name ?? t("app.friends");
  }

  function choose(key) {
    chosen = key;
    draw();
    replace(about, rolesOf(key).map(sees));
  }

  function draw() {
    if (!width) return;
    const {friends, ways, rate} = known;
    map.draw({width, chosen, me: {name: nameOf("me"), say: t("network.here_is", {name: nameOf("me")})},
      friends: friends.map(({location: key, name, state}) => ({key, name, state, rate: rate(key),
        say: `${name}, ${t(`friends.state_${state}`)}, ${rateText(rate(key))}`})),
      far: peopleOf(ways), ways: ways.map((way) => ({...way, rate: rate(way.key)}))});
    drawPanel();
    if (asTable.open) drawTables();
  }

  function drawPanel() {
    if (chosen.startsWith("role ")) return replace(live, h("h2", {}, t("network.who_sees")));
    const [title, state, children] = detailsOf(chosen, known);
    return replace(live, h("div.row", {}, h("h2.grow", {}, h("bdi", {}, title)), state), children);
  }

  function drawTables() {
    const {friends, ways, rate} = known;
    replace(tables,
      table(t("app.friends"), [t("friends.name"), t("friends.state"), t("network.now"), t("friends.round_trip")],
        friends.map((friend) => [h("bdi", {}, friend.name), t(`friends.state_${friend.state}`), rateText(rate(friend.location)),
          t("friends.ms", {n: Math.round(friend.rtt_us / 1000)})])),
      table(t("network.tunnels"), [t("network.between"), t("network.tunnels"), t("network.now"), t("network.carried")],
        ways.map((way) => [h("bdi", {}, way.ends.map(nameOf).join(" – ")), number(way.count), rateText(rate(way.key)),
          bytes(way.bytes)])));
  }

  const roleButton = (role) => h("button.button", {type: "button", onclick: () => {
    choose(`role ${role}`);
    panel.scrollIntoView({block: "nearest"});
  }}, t(`network.role_${role}`));
  root.append(h("div.page.wide", {}, lead(t(model.operator ? "network.about" : "network.not_operator")),
    h("div.net-frame", {}, h("figure.card", {}, map.element, legend()), panel),
    h("section.card.stack", {}, h("h2", {}, t("network.who_sees")),
      h("div.row", {role: "group", "aria-label": t("network.who_sees")}, ROLES.map(roleButton)),
        hint(t("network.who_sees_help"))),
    asTable));
  choose("me");

  const size = new ResizeObserver(([{contentRect}]) => {
    width = Math.round(contentRect.width);
    draw();
  });
  size.observe(map.element.parentElement);
  const turn = every(POLL_MS, async () => {
    const [list, {tunnels}, status] = await Promise.all([model.operator ? link.ask("friend.list") : {friends: []},
      link.ask("tunnels"), model.operator ? link.ask("status") : null]);
    known.friends = list.friends.sort((a, b) => a.name.localeCompare(b.name));
    known.ways = waysOf(tunnels);
    known.status = status;
    const rates = ratesOf(new Map([...known.friends.map((friend) => [friend.location, friend.bytes_in + friend.bytes_out]),
      ...known.ways.map((way) => [way.key, way.bytes])]));
    known.rate = (key) => rates.get(key) ?? 0;
    draw();
  });
  return () => {
    turn();
    size.disconnect();
  };
}
