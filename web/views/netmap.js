// SPDX-License-Identifier: ISC
// The picture of the network: where everything stands, and the SVG that follows it. Knows nothing of the gateway.
import {svg} from "../dom.js";
import {keyed} from "./parts.js";

const LABEL_ROOM = 46; // pixels of width for each friend; with less their names are told elsewhere only
const TWO_RINGS_FROM = 24; // friends

const short = (text, most = 14) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

/** Where everything stands: friends in a ring (many of them in two), people beyond the friend that leads to them. */
function placeAll(friends, far, width, height) {
  const cx = width / 2, cy = height / 2, rx = cx - Math.min(60, width * 0.13), ry = cy - 34;
  const at = new Map([["me", [cx, cy]]]), angles = new Map();
  const put = (key, angle, part) => at.set(key, [cx + Math.cos(angle) * rx * part, cy + Math.sin(angle) * ry * part]);
  const part = far.length ? 0.66 : 0.9, stagger = friends.length > TWO_RINGS_FROM ? 0.11 : 0;
  const first = friends.length > 2 || ry > rx ? -Math.PI / 2 : 0; // one or two stand where there is more room
  const apart = Math.min(0.75, Math.max(0.4, Math.PI / 3 / friends.length));
  friends.forEach(({key}, i) => {
    angles.set(key, i / friends.length * 2 * Math.PI + first);
    put(key, angles.get(key), part + (i % 2 ? stagger : -stagger));
  });
  const behind = new Map();
  far.forEach(({key, via}, i) => {
    const n = behind.get(via) ?? 0;
    behind.set(via, n + 1);
    const fan = (n % 2 ? -1 : 1) * Math.ceil(n / 2) * apart;
    put(key, angles.has(via) ? angles.get(via) + fan : i / far.length * 2 * Math.PI, 1);
  });
  const space = Math.PI * (rx + ry) * part / Math.max(1, friends.length);
  return {at, r: Math.max(5, Math.min(20, space * (stagger ? 0.62 : 0.4)))};
}

/** A path between two places; what is relayed bends towards us, because it passes here. */
function pathOf([x1, y1], [x2, y2], [cx, cy], bends) {
  const bent = (a, b, centre) => (bends ? centre + ((a + b) / 2 - centre) * 0.45 : (a + b) / 2);
  return `M${x1.toFixed(1)} ${y1.toFixed(1)}Q${bent(x1, x2, cx).toFixed(1)} ${bent(y1, y2, cy).toFixed(1)} `
    + `${x2.toFixed(1)} ${y2.toFixed(1)}`;
}

const widthOf = (rate, many) => ((1.5 + Math.min(4, Math.log2(1 + rate / 128) / 2)) * (many ? 0.6 : 1)).toFixed(1);
const secondsOf = (rate) => Math.max(0.4, 3 - Math.round(Math.log2(1 + rate / 64)) / 3);

/**
 * {element, draw(scene)}; choose(key) is called when something is picked.
 * scene: {width, chosen, me: {name, say}, friends: [{key, name, say, state, rate}], far: [{key, via, name, say}],
 * ways: [{key, ends: [key, key], relayed, rate}]}. Ends that are no friends and nobody far are us.
 */
export function networkMap(label, choose) {
  const layers = ["lines", "people"].map((name) => svg("g", {class: `net-${name}`}));
  const element = svg("svg", {class: "net", role: "group", "aria-label": label}, layers);
  let chosen = "me", tabStop = "me", many = false;

  const fillLines = keyed(layers[0], ({key}) => key, ({key}) => {
    const seen = svg("path"), flow = svg("path", {class: "flow"});
    const group = svg("g", {onclick: () => choose(key)}, svg("path", {class: "catch"}), seen, flow);
    return {element: group, update({kind, rate, d}) {
      group.setAttribute("class", `net-line ${kind}${chosen === key ? " chosen" : ""}`);
      for (const path of group.children) path.setAttribute("d", d);
      seen.setAttribute("stroke-width", widthOf(rate, many));
      flow.setAttribute("visibility", rate > 0 && !kind.endsWith("offline") ? "visible" : "hidden");
      flow.style.animationDuration = `${secondsOf(rate)}s`;
    }};
  });

  const fillPeople = keyed(layers[1], ({key}) => key, ({key}) => {
    const shape = svg("circle", {role: "button", onclick: () => choose(key), onkeydown: (event) => move(event, group)});
    const sign = svg("text", {class: "sign", dy: ".35em", "aria-hidden": "true"});
    const name = svg("text", {class: "label", "aria-hidden": "true"});
    const group = svg("g", {}, shape, sign, name);
    return {element: group, update(node) {
      group.setAttribute("class", `net-node ${node.kind}`);
      group.setAttribute("transform", `translate(${node.at.map((n) => n.toFixed(1)).join(" ")})`);
      shape.setAttribute("aria-label", node.say);
      shape.setAttribute("aria-pressed", String(chosen === key));
      shape.setAttribute("tabindex", key === tabStop ? 0 : -1);
      shape.setAttribute("r", node.r);
      sign.textContent = node.r > 11 ? [...node.name][0]?.toUpperCase() ?? "" : "";
      name.textContent = node.labelled ? short(node.name) : "";
      name.setAttribute("y", node.r + 15);
    }};
  });

  // One stop for the tab key; the arrows go on from there.
  function move(event, group) {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Enter: 0, " ": 0}[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const all = [...layers[1].children];
    const next = all[(all.indexOf(group) + step + all.length) % all.length].firstChild;
    next.dispatchEvent(new MouseEvent("click"));
    next.focus();
  }

  function draw({width, me, friends, far, ways, ...scene}) {
    ({chosen} = scene);
    many = friends.length > TWO_RINGS_FROM;
    const height = Math.max(360, Math.min(580, width * 0.66));
    element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    element.style.height = `${height}px`;
    const {at, r} = placeAll(friends, far, width, height);
    const place = (key) => at.get(key) ?? at.get("me");
    const labelled = ({key}) => friends.length * LABEL_ROOM < width || chosen === key;
    const nodes = [{...me, key: "me", kind: "me", r: width < 480 ? 20 : 26, labelled: true},
      ...friends.map((friend) => ({...friend, kind: friend.state, r, labelled: labelled(friend)})),
      ...far.map((person) => ({...person, kind: "far", r: 13, labelled: true}))];
    tabStop = nodes.some(({key}) => key === chosen) ? chosen : "me";
    fillLines([
      ...friends.map(({key, state, rate}) => ({key, kind: `link ${state}`, rate,
        d: pathOf(at.get("me"), place(key), at.get("me"))})),
      ...ways.map(({key, ends, relayed, rate}) => ({key, kind: relayed ? "relayed" : "own", rate,
        d: pathOf(place(ends[0]), place(ends[1]), at.get("me"), relayed)})),
    ]);
    fillPeople(nodes.map((node) => ({...node, at: at.get(node.key)})));
  }

  return {element, draw};
}
