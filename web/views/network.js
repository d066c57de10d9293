// SPDX-License-Identifier: ISC
// The network as this gateway sees it, drawn live: itself, its friends, the tunnels that end here and those that pass.
import {h, icon, replace, svg} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {ago, bytes, number, t} from "../words.js";
import {friendBadge, friendFacts} from "./friends.js";
import {every, facts, hint, keyed, lead} from "./parts.js";

const POLL_MS = 2000;
const LABEL_ROOM = 46; // pixels of width for each friend; with less their names are in the panel and the table only
const TWO_RINGS_FROM = 24; // friends
const ROLES = ["operator", "friend", "relay", "contact", "observer"];

const rateText = (rate) => t("network.rate", {size: bytes(rate)});
const widthOf = (rate, many) => ((1.5 + Math.min(4, Math.log2(1 + rate / 128) / 2)) * (many ? 0.6 : 1)).toFixed(1);
const short = (text, most = 14) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

/** What comes out of two polls: bytes a second by key. */
function meter() {
  let before = new Map(), then = 0;
  return (totals) => {
    const now = performance.now(), rates = new Map();
    for (const [key, total] of totals)
      rates.set(key, before.has(key) ? Math.max(0, (total - before.get(key)) / ((now - then) / 1000)) : 0);
    before = totals;
    then = now;
    return rates;
  };
}

/** Tunnels of the same two ends are one path. Ends are friends' locations, "talk <id>" or "own". */
function paths(tunnels) {
  const all = new Map();
  for (const tunnel of tunnels) {
    const talk = tunnel.conversation ? `talk ${tunnel.conversation}` : "own";
    const ends = [tunnel.role === "initiator" ? talk : tunnel.towards_initiator ?? "friends",
      tunnel.role === "endpoint" ? talk : tunnel.towards_endpoint ?? "friends"].sort();
    const key = ends.join("|");
    const path = all.get(key) ?? {key: `path ${key}`, ends, relayed: tunnel.role === "relay", count: 0, bytes: 0, idle: Infinity};
    path.count++;
    path.bytes += tunnel.bytes;
    path.idle = Math.min(path.idle, tunnel.idle_ms);
    all.set(key, path);
  }
  return [...all.values()];
}

/** Where everything stands: friends in a ring (many of them in two), people beyond the friend that leads to them. */
function placeAll(friends, far, width, height) {
  const cx = width / 2, cy = height / 2, rx = cx - Math.min(60, width * 0.13), ry = cy - 34;
  const at = new Map([["me", [cx, cy]]]), angles = new Map();
  const put = (key, angle, part) => at.set(key, [cx + Math.cos(angle) * rx * part, cy + Math.sin(angle) * ry * part]);
  const part = far.length ? 0.66 : 0.9, stagger = friends.length > TWO_RINGS_FROM ? 0.11 : 0;
  friends.forEach((key, i) => {
    angles.set(key, i / friends.length * 2 * Math.PI - (friends.length > 2 ? Math.PI / 2 : 0));
    put(key, angles.get(key), part + (i % 2 ? stagger : -stagger));
  });
  const behind = new Map();
  far.forEach(({key, via}, i) => {
    const n = behind.get(via) ?? 0;
    behind.set(via, n + 1);
    put(key, angles.has(via) ? angles.get(via) + (n % 2 ? -1 : 1) * Math.ceil(n / 2) * 0.4 : i / far.length * 2 * Math.PI, 1);
  });
  const space = Math.PI * (rx + ry) * part / Math.max(1, friends.length);
  return {at, r: Math.max(5, Math.min(20, space * (stagger ? 0.62 : 0.4)))};
}

const sees = (role) => h("section.sees", {}, h("h3", {}, t(`network.role_${role}`)),
  [["can", "eye"], ["cannot", "eye-off"]].map(([what, sign]) => h("p.row", {}, icon(sign, t(`network.${what}`)), h("span", {}, t(`network.${role}_${what}`)))));

export function open(root, params, app) {
  app.title(t("app.network"));
  let friends = [], tunnels = [], status = null, chosen = "me", width = 0, rates = new Map();
  const rateOf = meter();
  const layers = ["lines", "people"].map((name) => svg("g", {class: `net-${name}`}));
  const picture = svg("svg", {class: "net", role: "group", "aria-label": t("network.picture")}, layers);
  const live = h("div.stack"), about = h("div.stack");
  const panel = h("aside.card.stack.net-panel", {"aria-label": t("network.details")}, live, about);
  const table = h("div.stack");
  const nodeName = (key) => (key === "me" || key === "own" ? status?.name ?? t("network.here")
    : key.startsWith("talk ") ? model.conversation(Number(key.slice(5)))?.handle ?? "?" : friends.find((friend) => friend.location === key)?.name ?? t("app.friends"));

  function choose(key) {
    chosen = key;
    draw();
    const role = key === "me" ? ["operator"] : key.startsWith("role ") ? [key.slice(5)] : key.startsWith("talk ") ? ["contact", "relay"] : key.startsWith("path ") ? ["relay"] : ["friend"];
    replace(about, role.map(sees));
  }

  const fillLines = keyed(layers[0], (line) => line.key, ({key}) => {
    const seen = svg("path"), flow = svg("path", {class: "flow"});
    const element = svg("g", {onclick: () => choose(key)}, svg("path", {class: "catch"}), seen, flow);
    return {element, update(line) {
      element.setAttribute("class", `net-line ${line.kind}${chosen === key ? " chosen" : ""}`);
      for (const path of element.children) path.setAttribute("d", line.d);
      seen.setAttribute("stroke-width", widthOf(line.rate, friends.length > TWO_RINGS_FROM));
      flow.setAttribute("visibility", line.rate > 0 && !line.kind.endsWith("offline") ? "visible" : "hidden");
      flow.style.animationDuration = `${Math.max(0.4, 3 - Math.round(Math.log2(1 + line.rate / 64)) / 3)}s`;
    }};
  });

  const fillPeople = keyed(layers[1], (node) => node.key, ({key}) => {
    const shape = svg("circle", {role: "button", onclick: () => choose(key), onkeydown: (event) => move(event, element)});
    const sign = svg("text", {class: "sign", dy: ".35em", "aria-hidden": "true"}), label = svg("text", {class: "label", "aria-hidden": "true"});
    const element = svg("g", {}, shape, sign, label);
    return {element, update(node) {
      element.setAttribute("class", `net-node ${node.kind}`);
      element.setAttribute("transform", `translate(${node.at.map((n) => n.toFixed(1)).join(" ")})`);
      shape.setAttribute("aria-label", node.say);
      shape.setAttribute("aria-pressed", String(chosen === key));
      // One stop for the tab key; the arrows go on from there.
      shape.setAttribute("tabindex", chosen === key || (key === "me" && !nodeKeys.has(chosen)) ? 0 : -1);
      shape.setAttribute("r", node.r);
      sign.textContent = node.r > 11 ? [...node.name][0]?.toUpperCase() ?? "" : "";
      label.textContent = node.label ? short(node.name) : "";
      label.setAttribute("y", node.r + 15);
    }};
  });
  const nodeKeys = new Set();

  function move(event, element) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      event.target.dispatchEvent(new MouseEvent("click"));
      return;
    }
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...layers[1].children];
    const next = all[(all.indexOf(element) + step + all.length) % all.length].firstChild;
    next.dispatchEvent(new MouseEvent("click"));
    next.focus();
  }

  function draw() {
    if (!width) return;
    const height = Math.max(360, Math.min(580, width * 0.66));
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.style.height = `${height}px`;
    const ways = paths(tunnels);
    const far = [...new Map(ways.filter((way) => !way.relayed).map(({ends}) => {
      const key = ends.find((end) => end.startsWith("talk ")) ?? `far ${ends.join("|")}`;
      return [key, {key, via: ends.find((end) => end !== key && end !== "own") ?? "me"}];
    })).values()].filter(({key}) => key.startsWith("talk "));
    const {at, r} = placeAll(friends.map((friend) => friend.location), far, width, height);
    const line = (a, b, bend) => {
      const [[x1, y1], [x2, y2], [cx, cy]] = [at.get(a) ?? at.get("me"), at.get(b) ?? at.get("me"), at.get("me")];
      const [mx, my] = bend ? [cx + ((x1 + x2) / 2 - cx) * 0.45, cy + ((y1 + y2) / 2 - cy) * 0.45] : [(x1 + x2) / 2, (y1 + y2) / 2];
      return `M${x1.toFixed(1)} ${y1.toFixed(1)}Q${mx.toFixed(1)} ${my.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;
    };
    const rate = (key) => rates.get(key) ?? 0;
    const links = friends.map((friend) => ({key: friend.location, kind: `link ${friend.state}`, rate: rate(friend.location), d: line("me", friend.location)}));
    const arcs = ways.map((way) => ({key: way.key, kind: way.relayed ? "relayed" : "own", rate: rate(way.key),
      d: line(way.ends[0], way.ends[1], way.relayed)}));
    fillLines([...links, ...arcs]);
    const nodes = [{key: "me", kind: "me", at: at.get("me"), r: width < 480 ? 20 : 26, name: nodeName("me"), label: true, say: t("network.here_is", {name: nodeName("me")})},
      ...friends.map((friend) => ({key: friend.location, kind: friend.state, at: at.get(friend.location), r, name: friend.name,
        label: friends.length * LABEL_ROOM < width || chosen === friend.location,
        say: `${friend.name}, ${t(`friends.state_${friend.state}`)}, ${rateText(rate(friend.location))}`})),
      ...far.map(({key}) => ({key, kind: "far", at: at.get(key), r: 13, name: nodeName(key), label: true, say: t("network.far", {name: nodeName(key)})}))];
    nodeKeys.clear();
    nodes.forEach((node) => nodeKeys.add(node.key));
    fillPeople(nodes);
    drawPanel(ways, rate);
  }

  function drawPanel(ways, rate) {
    const friend = friends.find(({location}) => location === chosen), way = ways.find(({key}) => key === chosen);
    const talk = chosen.startsWith("talk ") ? model.conversation(Number(chosen.slice(5))) : null;
    const title = friend?.name ?? talk?.name ?? (way ? way.ends.map(nodeName).join(" – ") : nodeName("me"));
    replace(live, chosen.startsWith("role ") ? null : [
      h("div.row", {}, h("h2.grow", {}, h("bdi", {}, title)), friend ? friendBadge(friend) : null),
      friend ? [friendFacts(friend), facts([[t("network.now"), rateText(rate(friend.location))]]), h("a", {href: "#/friends"}, t("network.manage"))]
      : talk ? [hint(t("network.far", {name: talk.handle})), h("a", {href: `#/chat/${talk.handle}`}, t("contacts.talk"))]
      : way ? [hint(t(way.relayed ? "network.passes" : "network.ends_here")),
        facts([[t("network.tunnels"), number(way.count)], [t("network.carried"), bytes(way.bytes)], [t("network.now"), rateText(rate(way.key))], [t("network.last"), ago(Date.now() - way.idle)]])]
      : status ? facts([[t("app.friends"), t("friends.up_of", {n: status.friends.total, up: number(status.friends.up)})],
        [t("network.tunnels"), t("network.tunnels_text", {own: number(status.tunnels.own), relayed: number(status.tunnels.relayed)})],
        [t("network.forwarded"), bytes(status.traffic.bytes_forwarded)], [t("network.up_since"), ago(Date.now() - status.uptime_ms)]])
      : hint(t("network.not_operator"))]);
    if (!table.parentElement.open) return;
    const cells = (tag, values) => h("tr", {}, values.map((value) => h(tag, tag === "th" ? {scope: "col"} : {}, value)));
    replace(table,
      h("table", {}, h("caption", {}, t("app.friends")), h("thead", {}, cells("th", [t("friends.name"), t("friends.state"), t("network.now"), t("friends.round_trip")])),
        h("tbody", {}, friends.map((entry) => cells("td", [h("bdi", {}, entry.name), t(`friends.state_${entry.state}`), rateText(rate(entry.location)), t("friends.ms", {n: Math.round(entry.rtt_us / 1000)})])))),
      h("table", {}, h("caption", {}, t("network.tunnels")), h("thead", {}, cells("th", [t("network.between"), t("network.tunnels"), t("network.now"), t("network.carried")])),
        h("tbody", {}, ways.map((entry) => cells("td", [entry.ends.map(nodeName).join(" – "), number(entry.count), rateText(rate(entry.key)), bytes(entry.bytes)])))));
  }

    const size = new ResizeObserver(([entry]) => {
    width = Math.round(entry.contentRect.width);
    draw();
  });
  root.append(h("div.page.wide", {}, lead(t(model.operator ? "network.about" : "network.not_operator")),
    h("div.net-frame", {}, h("figure.card", {}, picture,
      h("figcaption.legend", {}, ["link", "own", "relayed"].map((kind) => h("span.row", {},
        svg("svg", {class: "net-key", viewBox: "0 0 32 8", "aria-hidden": "true"}, svg("g", {class: `net-line ${kind} up`}, svg("path", {d: "M0 4H32", "stroke-width": 3}))), t(`network.key_${kind}`))))), panel),
    h("section.card.stack", {}, h("h2", {}, t("network.who_sees")), h("div.row", {role: "group", "aria-label": t("network.who_sees")}, ROLES.map((role) =>
      h("button.button", {type: "button", onclick: () => {
        choose(`role ${role}`);
        panel.scrollIntoView({block: "nearest"});
      }}, t(`network.role_${role}`)))), hint(t("network.who_sees_help"))),
    h("details.card", {ontoggle: draw}, h("summary", {}, t("network.table")), table)));
  size.observe(picture.parentElement);
  choose("me");
  const turn = every(POLL_MS, async () => {
    const none = {friends: []};
    const [list, tunnelList, state] = await Promise.all([model.operator ? link.ask("friend.list") : none,
      link.ask("tunnels").catch(() => ({tunnels: []})), model.operator ? link.ask("status") : null]);
    friends = list.friends.sort((a, b) => a.name.localeCompare(b.name));
    ({tunnels} = tunnelList);
    status = state;
    rates = rateOf(new Map([...friends.map((friend) => [friend.location, friend.bytes_in + friend.bytes_out]),
      ...paths(tunnels).map((way) => [way.key, way.bytes])]));
    draw();
  });
  return () => {
    turn();
    size.disconnect();
  };
}
