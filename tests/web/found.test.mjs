// SPDX-License-Identifier: ISC
// What people are sent, as mail programs and chats leave it: the open box must find it again.
import assert from "node:assert/strict";
import {test} from "node:test";
import {find} from "../../web/views/found.js";

const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const noise = (size, seed = 1) => Array.from({length: size}, (_, i) => (i * 197 + seed * 31) % 251);
const record = (tag, data) => data.length < 192 ? [tag, data.length, ...data]
  : [tag, 192 + (data.length >> 8), data.length & 255, ...data];
const text = (letters) => [...Buffer.from(letters)];

const KEY = "7C4BFF9CE1862EF8";
const invite = (seed = 1) => `retroshare://private_chat?time_stamp=2000000000&gpgid=${KEY}&encrypted_data=` +
  encodeURIComponent(base64(noise(600, seed)));
// A packet with a user id, old format (RFC 4880, 4.2.1 and 5.11), behind one of another kind.
const userId = text("Alice Archer (test) <alice@example.org>");
const transferable = [0x99, 0, 8, ...noise(8), 0xb4, userId.length, ...userId];
const link = `retroshare://certificate?gpgid=${KEY}&gpgbase64=${encodeURIComponent(base64(transferable))}&gpgchecksum=AbCd&name=Alice`;
const folded = (letters, width) => letters.match(new RegExp(`.{1,${width}}`, "g")).join("\n");
const block = `-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\n${folded(base64(transferable), 64)}\n=AbCd\n-----END PGP PUBLIC KEY BLOCK-----`;
// Records of a node (protocol 11, 2.1 and 2.2), long and short.
const full = base64([...record(9, text("\x06")), ...record(1, transferable), ...record(6, text("home")), ...record(5, noise(16)),
  ...record(7, [1, 2, 3])]);
const short = base64([...record(0, noise(16)), ...record(1, text("Bob")), ...record(3, noise(20)), ...record(4, [1, 2, 3])]);

const invitesIn = (mail) => find(mail).invites.map((found) => found.text);

test("an invite alone, with whom it is for and until when", () => {
  const {invites, keys, nodes, others, secret} = find(invite());
  assert.deepEqual(invites, [{text: invite(), to: KEY, expires: 2_000_000_000_000}]);
  assert.deepEqual([keys, nodes, others, secret], [[], [], [], false]);
});

test("an invite in the middle of a sentence, quoted, in brackets", () => {
  for (const mail of [`Hello, here: ${invite()} – see you`, `> > ${invite()}`, `<${invite()}>`, `"${invite()}"`, `(${invite()})`,
    `| ${invite()}\r\n|\r\n| Bye\r\n`]) {
    assert.deepEqual(invitesIn(mail), [invite()], mail.slice(0, 30));
  }
});

test("an invite that a mail program folded", () => {
  for (const width of [60, 72, 76, 78]) {
    assert.deepEqual(invitesIn(`Hi,\n\n${folded(invite(), width)}\n\nAlice`), [invite()], `at ${width}`);
    assert.deepEqual(invitesIn(`> Hi,\n>\n${folded(invite(), width).replace(/^/gm, "> ")}\n> \n> Alice`), [invite()], `quoted at ${width}`);
    assert.deepEqual(invitesIn(folded(invite(), width).replace(/\n/g, "\r\n")), [invite()], `with CR at ${width}`);
  }
});

test("an invite from a page, with its ampersands escaped", () => {
  assert.deepEqual(invitesIn(`<a href="${invite().replaceAll("&", "&amp;")}">open</a>`), [invite()]);
});

test("an invite in quoted-printable", () => {
  const quoted = invite().replaceAll("=", "=3D").match(/.{1,70}/g).join("=\n");
  assert.deepEqual(invitesIn(quoted), [invite()]);
});

test("several invites, each once", () => {
  assert.deepEqual(invitesIn([invite(1), invite(2), invite(1)].join("\n")), [invite(1), invite(2)]);
  assert.deepEqual(invitesIn(`${folded(invite(1), 76)}\n\n${folded(invite(2), 76)}`), [invite(1), invite(2)]);
});

test("a key, as a link and as a block, and whose it is", () => {
  assert.deepEqual(find(`my key: ${link}.`.replace(/\.$/, "")).keys, [{text: link, name: "Alice"}]);
  assert.deepEqual(find(`Hi\n${block}\nBye`).keys, [{text: block, name: "Alice Archer"}]);
});

test("an invite and the inviter's key in one mail", () => {
  const {invites, keys} = find(`Hi Bob,\n\n${folded(invite(), 76)}\n\nand my key:\n\n${block}\n-- \nAlice`);
  assert.deepEqual([invites.length, keys.length], [1, 1]);
});

test("nodes, long and short, folded and in a link", () => {
  assert.deepEqual(find(`${folded(full, 64)}\nGreetings\nAlice`).nodes.map(({text, name, location}) => [text, name, location.length]), [[full, "home", 32]]);
  assert.deepEqual(find(`${folded(short, 20)}\n${folded(full, 20)}`).nodes.map(({text: found}) => found), [short, full]);
  for (const mail of [short, `my node:\n${folded(short, 20)}\nbye`, `https://example.org/?rsInvite=${encodeURIComponent(short)}`]) {
    assert.deepEqual(find(mail).nodes.map(({name, full: whole}) => [name, whole]), [["Bob", false]], mail);
  }
});

test("a secret key is told", () => {
  const {secret, keys} = find(block.replaceAll("PUBLIC", "PRIVATE"));
  assert.deepEqual([secret, keys], [true, []]);
});

test("other links are named by their kind, and nothing is made of other text", () => {
  assert.deepEqual(find("retroshare://person?name=x and retroshare://file?hash=y").others, ["person", "file"]);
  const {invites, keys, nodes, others, secret} = find("Καλημέρα 👋 مرحبا\nhttps://example.org/?a=b&c=d\nretroshare is a program");
  assert.deepEqual([invites, keys, nodes, others, secret], [[], [], [], [], false]);
});

test("a part of an invite is no more than it is", () => {
  for (let size = 0; size < invite().length; size += 7) find(invite().slice(0, size));
  for (let size = 0; size < block.length; size += 7) assert.deepEqual(find(block.slice(0, size)).keys, []);
});

test("links for posts are told from invites and from what nobody knows", () => {
  const text = "retroshare://public_msg?time_stamp=1&hash=00&gpgid=11";
  const found = find(`write to me: ${text} or retroshare://forum?name=x`);
  assert.deepEqual([found.posts, found.invites, found.others], [[{text}], [], ["forum"]]);
});

// Work is told by how it grows with the text, not by a clock alone: a second is a thousand times what is needed.
test("junk costs no more than its length", () => {
  const SIZE = 200_000; // bytes
  const fill = (piece) => piece.repeat(SIZE / piece.length);
  for (const piece of ["A", "\n", "> ", ">", "|", "=", "&amp;", "retroshare://", "retroshare://private_chat?", "retroshare://certificate?\n", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
    "?rsInvite=", "?rsInvite=CQEG", "CQEGAAAA\n", "ABAAAAAA\n", `${"QUJD".repeat(19)}\n`, `${invite().slice(0, 90)}\n`, "retroshare://private_chat?x=3D=41\n", "%", "\u200b", "🙂 "]) {
    const begun = performance.now();
    find(fill(piece));
    const took = performance.now() - begun;
    assert.ok(took < 1000, `${JSON.stringify(piece)}: ${Math.round(took)} ms`);
  }
});
