// SPDX-License-Identifier: ISC
// The model against a gateway that goes away at every bad moment: what is written leaves once, in its order.
import assert from "node:assert/strict";
import {webcrypto} from "node:crypto";
import {test} from "node:test";

// --- a page around it, as small as it can be

const kept = new Map();
globalThis.crypto ??= webcrypto; // Node 18
globalThis.localStorage = {getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key)};
globalThis.document = {hidden: false, addEventListener() {}};
globalThis.addEventListener = () => {};
globalThis.location = {href: "http://gateway.test/"};
const {setInterval} = globalThis;
globalThis.setInterval = (...args) => setInterval(...args).unref();

// --- a gateway that stores lines, and dies when told to

const gateway = {up: true, lines: [], follower: null, socket: null, answers: 0, dieAfter: Infinity, dieBefore: Infinity};
const account = () => ({name: "alice", epoch: 1, change: gateway.lines.length, fingerprint: "AB", typing: false});
const conversation = () => ({id: 7, contact: 1, handle: "bob", name: "Bob", open: true, state: "can talk", reason: "", read: 0,
  last: gateway.lines.length, unread: 0, created: 1});
const commands = {
  hello: () => ({account: account(), operator: false}),
  "contact.list": () => ({contacts: []}),
  "invite.list": () => ({invites: []}),
  "conversation.list": () => ({conversations: [conversation()]}),
  read: () => ({}),
  history({before = Infinity, after, max}) {
    const found = after === undefined ? gateway.lines.filter(({seq}) => seq < before).slice(-max)
      : gateway.lines.filter(({seq}) => seq > after).slice(0, max);
    const rest = after === undefined ? found[0]?.seq > 1 : found.at(-1)?.seq < gateway.lines.length;
    return {lines: found, more: Boolean(rest)};
  },
  follow({after}) {
    gateway.follower = after;
    queueMicrotask(tellChanges);
    return {};
  },
  say({text, label, once}) {
    if (text === "refuse me") throw {code: "invalid", text: "a line holds at most 5 bytes"};
    const known = once && gateway.lines.find((line) => line.label === label);
    if (known) return known;
    const seq = gateway.lines.length + 1;
    const line = {epoch: 1, seq, conversation: 7, direction: "out", text, time: seq, delivery: "sent", reason: "", label, change: seq};
    gateway.lines.push(line);
    queueMicrotask(tellChanges);
    return line;
  },
};

function send(value) {
  const {socket} = gateway;
  if (gateway.up) queueMicrotask(() => socket.readyState === WebSocket.OPEN && socket.onmessage?.({data: JSON.stringify(value)}));
}

function tellChanges() {
  if (gateway.follower === null || !gateway.up) return;
  const news = gateway.lines.filter(({change}) => change > gateway.follower);
  gateway.follower = gateway.lines.length;
  send({changes: news.map((line) => ({line})), epoch: 1, change: gateway.follower});
}

function die() {
  gateway.up = false;
  gateway.follower = null;
  const {socket} = gateway;
  if (!socket) return;
  gateway.socket = null;
  socket.readyState = WebSocket.CLOSED;
  setImmediate(() => socket.onclose?.({code: 1006}));
}

globalThis.fetch = async () => {
  if (!gateway.up) throw new TypeError("no way");
  return {ok: true, status: 200, json: async () => ({signed_in: true, account: "alice", token: "t"})};
};
globalThis.WebSocket = class WebSocket {
  static OPEN = 1;
  static CLOSED = 3;
  readyState = 0;
  constructor() {
    gateway.socket = this;
    setImmediate(() => {
      if (!gateway.up) return this.onclose?.({code: 1006});
      this.readyState = WebSocket.OPEN;
      return this.onopen?.();
    });
  }
  send(data) {
    const {id, do: command, ...args} = JSON.parse(data);
    if (command === "say" && gateway.dieBefore-- <= 0) return die();
    let answer;
    try {
      answer = {id, done: commands[command](args)};
    } catch (error) {
      answer = {id, error};
    }
    if (command === "say" && gateway.dieAfter-- <= 0) return die();
    return send(answer);
  }
  close() {
    this.readyState = WebSocket.CLOSED;
  }
};

const {link} = await import("../../web/link.js");
const {model} = await import("../../web/model.js");
model.start();

async function until(what) {
  for (let turn = 0; turn < 2000; turn++) {
    if (what()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail(`never: ${what}`);
}

async function rise() {
  Object.assign(gateway, {up: true, dieBefore: Infinity, dieAfter: Infinity});
  await until(() => link.state !== "online");
  await link.retry();
  await until(() => link.state === "online" && model.ready);
}

const said = () => gateway.lines.map(({text}) => text);
const shown = () => model.lines(7).map(({text}) => text);

// --- what is held

test("it comes up", async () => {
  link.start(() => "away");
  await until(() => model.ready);
  await model.newest(7);
  assert.equal(model.conversation("bob").id, 7);
});

test("a line is shown at once, and is one line when the gateway has it", async () => {
  model.say(7, "first");
  assert.deepEqual(shown(), ["first"]);
  await until(() => model.waitingCount() === 0);
  assert.deepEqual([said(), shown()], [["first"], ["first"]]);
});

test("a change of protection is news until it was noticed; what was so before is none", async () => {
  const tell = async (protection) => {
    send({changes: [{change: gateway.follower, conversation: {...conversation(), protection}}], epoch: 1, change: gateway.follower});
    await until(() => model.conversation(7).protection === protection);
  };
  await tell("classic");
  assert.equal(model.protectionNews(7), undefined);
  await tell("sealed");
  assert.equal(model.protectionNews(7), "sealed");
  await tell("sealed");
  model.noticed(7);
  assert.equal(model.protectionNews(7), undefined);
  await tell("classic");
  assert.equal(model.protectionNews(7), "classic");
  await tell("none");
  assert.equal(model.protectionNews(7), undefined, "nothing is promised");
});

for (const [when, moment] of [["before it heard the line", "dieBefore"], ["after it kept the line and before its answer", "dieAfter"]]) {
  test(`the gateway dies ${when}: each line is said once, in order`, async () => {
    const wanted = said();
    for (let round = 0; round < 20; round++) {
      gateway[moment] = round % 3;
      for (let line = 0; line < 5; line++) {
        wanted.push(`${moment} ${round} ${line}`);
        model.say(7, wanted.at(-1));
        if (line === 2) await until(() => !gateway.up);
      }
      assert.deepEqual(shown(), wanted, "all is shown in order meanwhile");
      await rise();
      await until(() => model.waitingCount() === 0);
      assert.deepEqual([said(), shown()], [wanted, wanted]);
    }
  });
}

test("a refused line stays, says why, and lets the next ones pass", async () => {
  model.say(7, "refuse me");
  model.say(7, "after it");
  await until(() => said().at(-1) === "after it" && model.waitingCount() === 1);
  const refused = model.lines(7).at(-1);
  assert.deepEqual([refused.text, refused.delivery, refused.reason], ["refuse me", "refused", "a line holds at most 5 bytes"]);
  assert.equal(model.drop(refused.label), true);
  assert.equal(shown().includes("refuse me"), false);
});

test("history of many lines comes in pieces and has no hole", async () => {
  gateway.lines = Array.from({length: 500}, (_, index) => ({epoch: 1, seq: index + 1, conversation: 7, direction: "in", text: `old ${index}`,
    time: index, delivery: "received", reason: "", label: "", change: index + 1}));
  await model.around(7, 250);
  const around = model.lines(7).map(({seq}) => seq);
  assert.ok(around.includes(250) && !around.includes(1));
  while (await model.older(7));
  while (await model.newer(7));
  const all = model.lines(7).map(({seq}) => seq).filter(Boolean);
  assert.deepEqual(all, Array.from({length: 500}, (_, index) => index + 1));
});
