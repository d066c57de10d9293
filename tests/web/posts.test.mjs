// SPDX-License-Identifier: ISC
// What answers begin with, what a list tells of a post, and the boxes of posts while they change.
import assert from "node:assert/strict";
import {webcrypto} from "node:crypto";
import {test} from "node:test";

globalThis.crypto ??= webcrypto; // Node 18
globalThis.localStorage = {getItem: () => null, setItem() {}, removeItem() {}};
globalThis.document = {hidden: false, addEventListener() {}};
globalThis.addEventListener = () => {};
globalThis.location = {href: "http://gateway.test/"};
const {setInterval} = globalThis;
globalThis.setInterval = (...args) => setInterval(...args).unref();

const asked = [];
const gateway = {posts: []};
let socket;
const answers = {
  hello: () => ({account: {name: "alice", epoch: 1, change: 0, fingerprint: "AA".repeat(20), typing: false}}),
  "contact.list": () => ({contacts: []}), "conversation.list": () => ({conversations: []}), "invite.list": () => ({invites: []}),
  follow: () => ({}),
  "post.list"({box, before = Infinity, max}) {
    const found = gateway.posts.filter((post) => post.direction === box && post.seq < before).sort((a, b) => b.seq - a.seq);
    return {posts: found.slice(0, max), more: found.length > max};
  },
};
const send = (value) => queueMicrotask(() => socket.onmessage?.({data: JSON.stringify(value)}));
globalThis.WebSocket = class {
  static OPEN = 1;
  readyState = 1;
  constructor() {
    socket = this;
    setTimeout(() => this.onopen(), 0);
  }
  send(text) {
    const {id, do: command, ...args} = JSON.parse(text);
    asked.push(command);
    send({id, done: answers[command](args)});
  }
  close() {}
};
globalThis.fetch = async () => ({ok: true, status: 200, json: async () => ({signed_in: true, token: "t"})});

const {link} = await import("../../web/link.js");
const {model} = await import("../../web/model.js");
const {answerTo, listOf, posts, quote, stateOf} = await import("../../web/posts.js");

const alice = {name: "alice", fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567"};
const at = (...names) => names.map((name) => ({address: `${name}@distant.alt`, name: ""}));
const received = {direction: "in", subject: "the boat", from: at("bob"), to: at("alice", "carol"), cc: at("dave", "Bob")};

test("an answer goes to who wrote", () =>
  assert.deepEqual(answerTo(received, false, alice), {to: ["bob@distant.alt"], cc: [], subject: "Re: the boat"}));

test("an answer to all names nobody twice, and not oneself by any of one's addresses", () => {
  assert.deepEqual(answerTo(received, true, alice), {to: ["bob@distant.alt", "carol@distant.alt"], cc: ["dave@distant.alt"], subject: "Re: the boat"});
  const long = {...received, to: at("ALICE", alice.fingerprint.toLowerCase(), alice.fingerprint.slice(-16)), cc: []};
  assert.deepEqual(answerTo(long, true, alice).to, ["bob@distant.alt"]);
});

test("what one wrote is answered to its recipients, and Re: is not said twice", () =>
  assert.deepEqual(answerTo({direction: "out", subject: "RE: x", from: at("alice"), to: at("bob", "alice"), cc: []}, false, alice),
    {to: ["bob@distant.alt"], cc: [], subject: "RE: x"}));

test("a text is quoted after who wrote it", () => assert.equal(quote("a\n> b\n\n", "Bob wrote:"), "\n\nBob wrote:\n> a\n>> b\n"));

test("recipients are taken with any marks between them", () => assert.deepEqual(listOf(" a@b,  c;d\ne "), ["a@b", "c", "d", "e"]));

test("of several deliveries the worst is told", () => {
  const state = (...deliveries) => stateOf({deliveries: deliveries.map((delivery) => ({delivery}))});
  assert.equal(state("delivered", "failed", "queued"), "failed");
  assert.equal(state("delivered", "queued"), "queued");
  assert.equal(state("delivered", "not-confirmed"), "not-confirmed");
  assert.equal(state("delivered"), "delivered");
  assert.equal(stateOf({}), null);
});

const post = (seq, more = {}) => ({seq, change: seq, direction: seq % 2 ? "in" : "out", seen: false, from: [], to: [], cc: [],
  ...(seq % 2 ? {} : {deliveries: [{delivery: "delivered"}]}), ...more});
const change = (...changes) => {
  socket.onmessage({data: JSON.stringify({changes, epoch: 1, change: 1000})});
};

test("boxes hold what is known without holes, and follow the changes", async () => {
  gateway.posts = Array.from({length: 500}, (_, index) => post(index + 1));
  model.start();
  posts.start();
  const counted = new Promise((resolve) => posts.on("posts", () => posts.unread() > 0 && resolve()));
  await link.start(() => "offline");
  await counted;
  assert.equal(posts.unread(), 200, "as many as were looked at");
  await posts.first("out");
  assert.equal(posts.list("out").length, 100);
  assert.ok(posts.more("out"));
  change({change: 1000, post: post(2, {change: 1000})});
  assert.equal(posts.list("out").length, 100, "an old one that changed would stand beside a hole");
  change({change: 1001, post: post(4, {change: 1001, deliveries: [{delivery: "queued"}]})});
  assert.deepEqual(posts.list("waiting").map(({seq}) => seq), [4], "what waits is always shown");
  for (let looks = 0; posts.more("out"); looks++) {
    assert.ok(looks < 5);
    await posts.older("out");
  }
  assert.equal(posts.list("out").length, 250);
  assert.equal(posts.get(4).deliveries[0].delivery, "queued", "what a list tells is no news when a change came");
  let incoming = 0;
  posts.on("incoming", () => incoming++);
  change({change: 1002, post: post(501, {change: 1002})}, {change: 1003, post: post(501, {change: 1003, seen: true})});
  assert.equal(incoming, 1);
  assert.equal(posts.unread(), 200);
  change({change: 1004, gone: {post: 499}});
  assert.equal(posts.get(499), undefined);
  assert.equal(posts.unread(), 199);
});
