// SPDX-License-Identifier: ISC
// Finds what a person was sent (invites, keys, certificates of nodes) in any text around it, a whole mail included.
// Pure, and no judge: the gateway checks everything again.

const KINDS_WITH_LONG_LINKS = /retroshare:\/\/(?:private_chat|certificate)\?\S*$/;
const LINK = /retroshare:\/\/[^\s<>"'()[\]]+/g;
const BLOCK = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g;
const NODE_BEGINS = /^(?:CQEG|AB[A-D])/; // the first record: version 6, or a location of 16 bytes
const NODES_MAX = 16, NODES_TRIED = 200, NODE_LINES_MAX = 100;
const WRAPPED_AT_MOST = 100; // mail programs fold at 72 to 78; a whole link is longer than this
const TEXT_MAX = 1 << 19;

// Undoes what mail does to text: quoting, quoted-printable, HTML's ampersands, folded links.
function unfold(text) {
  let plain = text.slice(0, TEXT_MAX).replace(/\r\n?/g, "\n").replace(/[\u200b\u2060\ufeff\u00ad]/g, "");
  if (/retroshare:\/\/\w+\?\w+=3D/.test(plain))
    plain = plain.replace(/=\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  const lines = plain.replace(/&amp;/g, "&").replace(/^(?:[>|] ?)+/gm, "").split("\n").map((line) => line.trim());
  const out = [];
  for (let i = 0; i < lines.length; i++) {
    let line = lines[i];
    if (line.length <= WRAPPED_AT_MOST && KINDS_WITH_LONG_LINKS.test(line)) {
      const width = lines[i].length;
      for (let last = width; last >= width - 4 && /^[^\s<>"]+$/.test(lines[i + 1] ?? "") && !/^-----|:\/\//.test(lines[i + 1]); ) {
        last = lines[++i].length;
        line += lines[i];
      }
    }
    out.push(line);
  }
  return out.join("\n");
}

function bytesOf(base64) {
  try {
    return Uint8Array.from(atob(base64.replace(/\s/g, "")), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

const textOf = (bytes) => new TextDecoder().decode(bytes).replace(/\p{C}/gu, " ").trim();
const hexOf = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

// The first user id of a transferable public key (RFC 4880, 4.2 and 5.11).
function nameInKey(bytes) {
  for (let at = 0; bytes && at + 2 < bytes.length; ) {
    const head = bytes[at++];
    let tag = head & 0x3f, size = bytes[at++];
    if (!(head & 0x80)) return "";
    if (!(head & 0x40)) {
      tag = (head >> 2) & 15;
      if ((head & 3) === 3) return "";
      for (let more = (1 << (head & 3)) - 1; more > 0; more--) size = size * 256 + bytes[at++];
    } else if (size >= 192 && size < 224) {
      size = (size - 192) * 256 + bytes[at++] + 192;
    } else if (size === 255) {
      size = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
      at += 4;
    } else if (size >= 224) {
      return "";
    }
    if (tag === 13) return textOf(bytes.slice(at, at + size)).replace(/ *[(<].*$/, "");
    at += size;
  }
  return "";
}

function keyOfBlock(block) {
  const body = block.replace(/^-----.*$/gm, "").replace(/^[A-Za-z-]+: .*$/gm, "").replace(/^=[A-Za-z0-9+/]{4}$/m, "");
  return {text: block, name: nameInKey(bytesOf(body))};
}

// A certificate or short invite is records (tag, size, data), the last one a checksum (protocol 11, 2.1 and 2.2). What stands
// behind it does not matter; `size` is how many letters of the base64 it took.
function nodeOf(base64) {
  const bytes = bytesOf(base64.length % 4 === 1 ? base64.slice(0, -1) : base64);
  const records = new Map();
  const end = bytes?.[0] === 9 ? 7 : 4;
  let at = 0, last = -1;
  while (bytes && at < bytes.length && last !== end) {
    last = bytes[at++];
    let size = bytes[at++];
    if (size >= 192 && size < 224) size = (size - 192) * 256 + bytes[at++] + 192;
    else if (size >= 224) return null;
    if (!(at + size <= bytes.length)) return null;
    if (!records.has(last)) records.set(last, bytes.slice(at, at + size));
    at += size;
  }
  const full = end === 7;
  if (last !== end || !(full ? records.has(1) : records.get(3)?.length === 20)) return null;
  return {
    size: Math.ceil(at * 4 / 3),
    full,
    name: textOf(records.get(full ? 6 : 1) ?? []) || (full ? nameInKey(records.get(1)) : ""),
    location: hexOf(records.get(full ? 5 : 0) ?? []),
  };
}

// Lines of base64 that make a node's text when joined: a word in the line below them looks like base64 too.
function nodesIn(lines) {
  const found = [];
  for (let i = 0, tried = 0; i < lines.length && found.length < NODES_MAX && tried < NODES_TRIED; i++) {
    if (!NODE_BEGINS.test(lines[i])) continue;
    tried++;
    let end = i;
    while (end < lines.length && end - i < NODE_LINES_MAX && /^[A-Za-z0-9+/]{4,}={0,2}$/.test(lines[end]))
      if (lines[end++].endsWith("=")) break;
    const {size, ...node} = nodeOf(lines.slice(i, end).join("")) ?? {};
    if (!size) continue;
    let text = "";
    while (text.length < size) text += lines[i++];
    i--;
    found.push({text, ...node});
  }
  return found;
}

const unique = (list) => [...new Map(list.map((entry) => [entry.text, entry])).values()];

/* {invites: [{text, to, expires}], keys: [{text, name}], nodes: [{text, full, name, location}],
 *  posts: [{text}: links for posts], others: [kind of link], secret: a secret key is in it} */
export function find(text) {
  let rest = unfold(text);
  const found = {invites: [], keys: [], nodes: [], posts: [], others: [], secret: /BEGIN PGP PRIVATE KEY/.test(rest)};
  for (const [invite] of rest.matchAll(/[?&]rsInvite=[^&#\s]+/g)) {
    let value = invite.slice(10);
    try { value = decodeURIComponent(value); } catch { /* as it stands */ }
    const {size, ...node} = nodeOf(value) ?? {};
    if (size) found.nodes.push({text: value, ...node});
  }
  rest = rest.replace(BLOCK, (block) => (found.keys.push(keyOfBlock(block)), "\n"));
  rest = rest.replace(LINK, (text) => {
    const kind = /^retroshare:\/\/\/?(\w*)/.exec(text)[1];
    const value = (name) => {
      const raw = new RegExp(`[?&]${name}=([^&]*)`).exec(text)?.[1] ?? "";
      try { return decodeURIComponent(raw); } catch { return raw; }
    };
    if (kind === "private_chat")
      found.invites.push({text, to: value("gpgid").toUpperCase(), expires: Number(value("time_stamp")) * 1000});
    else if (kind === "certificate")
      found.keys.push({text, name: value("name") || nameInKey(bytesOf(value("gpgbase64")))});
    else if (kind === "public_msg" || kind === "message")
      found.posts.push({text});
    else
      found.others.push(kind);
    return "\n";
  });
  found.nodes.push(...nodesIn(rest.split("\n").map((line) => line.trim())));
  for (const kind of ["invites", "keys", "nodes", "posts"]) found[kind] = unique(found[kind]);
  return found;
}
