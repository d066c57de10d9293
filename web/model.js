// SPDX-License-Identifier: ISC
// What the page knows of the account: lists once, then every change in its order.
import {emitter, link} from "./link.js";
import {keep, setSetting, setting} from "./keep.js";

const PAGE = 60;            // lines of one look into history
const TYPING_MS = 7_000;    // a notice of typing holds this long
const PREVIEWS_AT_ONCE = 6;
const SNAPSHOT_MS = 3_000;
const BEGIN_AGAIN_MS = 3_000;
const KEPT_CONVERSATIONS = 30; // whose newest lines an own device holds for offline reading

const {on, emit} = emitter();
const histories = new Map(); // conversation id → {lines, oldest, newest}: do they reach the ends?
const waiting = new Map();   // label → line of ours that the gateway has not confirmed
const settled = new Set();   // labels that are no longer waiting; the outbox may be read just before it forgets them
const typing = new Map();    // conversation id → timer
const protections = new Map(); // conversation id → what protects it since lately, until that was seen
const previews = new Map();  // conversation id → its newest line, null when it has none
let previewQueue = [], previewsOpen = 0;
let snapshotTimer, sending = new Set();

const byId = (objects) => new Map(objects.map((object) => [object.id, object]));

function history(id) {
  if (!histories.has(id)) histories.set(id, {lines: [], oldest: false, newest: false, loaded: false});
  return histories.get(id);
}

function snapshotSoon() {
  if (!keep.own) return;
  clearTimeout(snapshotTimer);
  snapshotTimer = setTimeout(() => keep.saveSnapshot({
    account: model.account, operator: model.operator, epoch: model.epoch, change: model.change,
    contacts: [...model.contacts.values()], conversations: [...model.conversations.values()],
    invites: [...model.invites.values()], previews: [...previews],
  }), SNAPSHOT_MS);
}

/** A line of ours is the gateway's now, or was taken back. */
function settle(label) {
  waiting.delete(label);
  settled.add(label);
  keep.unqueue(label);
}

/** Puts a line where it belongs; the same line again replaces what was known. */
function place(known, line) {
  let at = known.lines.length;
  while (at > 0 && known.lines[at - 1].seq > line.seq) at--;
  if (at > 0 && known.lines[at - 1].seq === line.seq) {
    known.lines[at - 1] = line;
    return "changed";
  }
  // A hole between what is known and this line would be shown as if nothing were missing.
  if (at === known.lines.length ? !known.newest : at === 0 && !known.oldest) return "outside";
  known.lines.splice(at, 0, line);
  return "added";
}

function takeLine(line) {
  if (line.label && waiting.has(line.label)) settle(line.label);
  const conversation = model.conversations.get(line.conversation);
  const isNew = conversation && line.seq > conversation.last;
  if (isNew) {
    conversation.last = line.seq;
    if (line.direction === "in") conversation.unread++;
  }
  if (line.direction === "in") stopTyping(line.conversation);
  const last = previews.get(line.conversation);
  if (isNew || line.seq === (last?.seq ?? conversation?.last)) previews.set(line.conversation, line);
  place(history(line.conversation), line);
  if (isNew && line.direction === "in") emit("incoming", line, conversation);
  return line.conversation;
}

function takeConversation(conversation) {
  const {id, protection} = conversation;
  const before = model.conversations.get(id)?.protection;
  if (before && before !== protection) {
    if (protection === "classic" || protection === "sealed") protections.set(id, protection);
    else protections.delete(id);
  }
  model.conversations.set(id, conversation);
}

const takers = {
  account: (value) => (model.account = value),
  contact: (value) => model.contacts.set(value.id, value),
  conversation: takeConversation,
  invite: (value) => model.invites.set(value.id, value),
};
const topics = {account: "account", contact: "contacts", conversation: "conversations", invite: "invites"};

function takeGone(gone) {
  const told = new Set();
  for (const [kind, id] of Object.entries(gone)) {
    if (kind === "contact") {
      model.contacts.delete(id);
      for (const [key, conversation] of model.conversations) if (conversation.contact === id) dropConversation(key);
      told.add("contacts").add("conversations");
    } else if (kind === "conversation") {
      dropConversation(id);
      told.add("conversations");
    } else if (kind === "invite") {
      model.invites.delete(id);
      told.add("invites");
    }
  }
  return told;
}

function dropConversation(id) {
  model.conversations.delete(id);
  histories.delete(id);
  previews.delete(id);
  protections.delete(id);
  keep.forgetLines(id);
}

function takeChanges({changes, epoch, change}) {
  if (model.epoch && epoch !== model.epoch) {
    // A backup was restored: numbers mean something else now.
    histories.clear();
    keep.forgetAllLines();
    model.epoch = 0;
    model.change = 0;
    begin();
    return;
  }
  const told = new Set();
  const lines = [];
  for (const entry of changes) {
    for (const kind of Object.keys(takers)) {
      if (!(kind in entry)) continue;
      takers[kind](entry[kind]);
      told.add(topics[kind]);
    }
    if (entry.gone) takeGone(entry.gone).forEach((topic) => told.add(topic));
    if (entry.line) {
      told.add(`lines:${takeLine(entry.line)}`).add("conversations");
      lines.push(entry.line);
    }
  }
  model.epoch = epoch;
  model.change = change;
  keep.saveLines(lines.filter((line) => history(line.conversation).loaded));
  snapshotSoon();
  told.forEach((topic) => emit(topic));
}

/** After the link came up: everything at first, later only what was missed. */
async function begin() {
  try {
    const hello = await link.ask("hello");
    model.hello = hello;
    model.operator = Boolean(hello.operator);
    const name = hello.account.name;
    if (setting("account", name) !== name) {
      await keep.clear();
      forgetAll();
    }
    setSetting("account", name);
    if (model.epoch !== hello.account.epoch || !model.ready) {
      if (model.epoch !== hello.account.epoch) {
        histories.clear();
        keep.forgetAllLines();
      }
      const [contacts, conversations, invites] = await Promise.all(
        ["contact.list", "conversation.list", "invite.list"].map((command) => link.ask(command)));
      model.contacts = byId(contacts.contacts);
      model.conversations = byId(conversations.conversations);
      model.invites = byId(invites.invites);
      model.epoch = hello.account.epoch;
      // What was kept may miss lines that came meanwhile: the tail is read again, not patched.
      if (!model.ready) histories.clear();
      model.change = hello.account.change;
    }
    model.account = hello.account;
    await link.ask("follow", {after: model.change});
    model.ready = true;
    snapshotSoon();
    for (const topic of ["account", "contacts", "conversations", "invites", "status", "ready"]) emit(topic);
    flush();
    if (keep.own) keepTails();
  } catch (failure) {
    // A lost link comes back by itself and begins anew.
    if (failure.code !== "offline" && failure.code !== "lost") setTimeout(() => link.state === "online" && begin(), BEGIN_AGAIN_MS);
  }
}

function forgetAll() {
  for (const map of [model.contacts, model.conversations, model.invites, histories, waiting, previews, protections]) map.clear();
  Object.assign(model, {account: null, operator: false, epoch: 0, change: 0, hello: null, ready: false});
}

async function keepTails() {
  const latest = [...model.conversations.values()].sort((a, b) => b.last - a.last).slice(0, KEPT_CONVERSATIONS);
  for (const {id} of latest) await model.newest(id).catch(() => {});
}

function stopTyping(id) {
  if (!typing.has(id)) return;
  clearTimeout(typing.get(id));
  typing.delete(id);
  emit(`typing:${id}`);
  emit("typing");
}

function hint(value) {
  const id = value.typing?.conversation;
  if (id === undefined) return emit("hint", value);
  clearTimeout(typing.get(id));
  typing.set(id, setTimeout(stopTyping, TYPING_MS, id));
  emit(`typing:${id}`);
  emit("typing");
}

/** What waits goes out, each conversation in its order. */
async function flush() {
  for (const entry of await keep.outbox()) {
    if (entry.account === model.account?.name && !waiting.has(entry.label) && !settled.has(entry.label)) addWaiting(entry);
  }
  for (const id of new Set([...waiting.values()].map((line) => line.conversation))) flushOne(id);
}

async function flushOne(id) {
  if (sending.has(id)) return;
  sending.add(id);
  try {
    for (;;) {
      const line = [...waiting.values()].find((each) => each.conversation === id && each.delivery === "waiting");
      if (!line || link.state !== "online" || !model.ready) break;
      try {
        const {seq, epoch, change, time} = await link.ask("say", {conversation: id, text: line.text, label: line.label, once: true});
        settle(line.label);
        // The change of this line may have come first, and then it knows more.
        if (!history(id).lines.some((known) => known.seq === seq)) {
          takeLine({epoch, seq, conversation: id, direction: "out", text: line.text, time, delivery: "queued",
            reason: "", label: line.label, change});
        }
      } catch (failure) {
        if (failure.code === "offline" || failure.code === "lost" || failure.code === "locked") break;
        line.delivery = "refused";
        line.reason = failure.text;
        keep.queue({...line, account: model.account.name});
      }
      emit(`lines:${id}`);
      emit("conversations");
    }
  } finally {
    sending.delete(id);
  }
}

function addWaiting(entry) {
  waiting.set(entry.label, {...entry, seq: null, direction: "out"});
  emit(`lines:${entry.conversation}`);
}

function nextPreviews() {
  while (previewsOpen < PREVIEWS_AT_ONCE && previewQueue.length > 0 && link.state === "online") {
    const id = previewQueue.pop();
    previewsOpen++;
    link.ask("history", {conversation: id, max: 1}).then(({lines}) => {
      if ((previews.get(id)?.seq ?? 0) <= (lines[0]?.seq ?? 0)) previews.set(id, lines[0] ?? null);
      emit("previews");
    }, () => previews.delete(id)).finally(() => {
      previewsOpen--;
      nextPreviews();
    });
  }
}

const look = (id, bounds) => link.ask("history", {conversation: id, max: PAGE, ...bounds});

/** A line may have come while history was being read, before there was a place for it. */
const reaches = (id, lines) => (lines.at(-1)?.seq ?? 0) >= (model.conversations.get(id)?.last ?? 0);

export const model = {
  on,
  account: null, operator: false, epoch: 0, change: 0, hello: null, ready: false,
  contacts: new Map(), conversations: new Map(), invites: new Map(),

  conversation(handleOrId) {
    return model.conversations.get(handleOrId) ??
      [...model.conversations.values()].find(({handle}) => handle === handleOrId);
  },
  unreadTotal: () => [...model.conversations.values()].reduce((sum, {unread}) => sum + unread, 0),
  isTyping: (id) => typing.has(id),

  /** "classic" or "sealed" when that is new since the page was opened, until noticed(id). */
  protectionNews: (id) => protections.get(id),
  noticed(id) {
    if (protections.delete(id)) emit("conversations");
  },

  /** The newest line of a conversation: null when it has none, undefined while it is being asked for. */
  preview(id) {
    if (!previews.has(id)) {
      previews.set(id, undefined);
      previewQueue.push(id);
      queueMicrotask(nextPreviews);
    }
    const mine = [...waiting.values()].findLast((line) => line.conversation === id);
    return mine ?? previews.get(id);
  },

  /** Known lines in order, then those of ours that the gateway has not taken yet. */
  lines(id) {
    const known = history(id);
    const mine = known.newest || !known.loaded ? [...waiting.values()].filter((line) => line.conversation === id) : [];
    return [...known.lines, ...mine];
  },
  atNewest: (id) => history(id).newest,
  atOldest: (id) => history(id).oldest,

  /** The newest lines, if they are not known already. */
  async newest(id) {
    const known = history(id);
    if (known.newest) return;
    try {
      const {lines, more} = await look(id, {});
      Object.assign(known, {lines, oldest: !more, newest: reaches(id, lines), loaded: true});
      if (!known.newest && lines.length > 0) await model.newer(id);
      // What is kept has no holes either.
      if (keep.own && lines.length > 0 && await keep.newestKept(id) < lines[0].seq) await keep.forgetLines(id);
      keep.saveLines(lines);
    } catch (failure) {
      if (known.loaded) throw failure;
      known.lines = await keep.lines(id);
    }
    emit(`lines:${id}`);
  },
  /** true while there are older ones still. */
  async older(id) {
    const known = history(id);
    if (known.oldest || known.lines.length === 0) return !known.oldest;
    const {lines, more} = await look(id, {before: known.lines[0].seq});
    known.lines = [...lines.filter(({seq}) => seq < known.lines[0].seq), ...known.lines];
    known.oldest = !more;
    if (known.newest) keep.saveLines(lines);
    emit(`lines:${id}`);
    return more;
  },
  async newer(id) {
    const known = history(id);
    if (known.newest || known.lines.length === 0) return !known.newest;
    const {lines, more} = await look(id, {after: known.lines.at(-1).seq});
    known.lines.push(...lines.filter(({seq}) => seq > known.lines.at(-1).seq));
    known.newest = !more && reaches(id, known.lines);
    emit(`lines:${id}`);
    return !known.newest;
  },
  /** Goes to a place in history: the lines around it become the known ones. */
  async around(id, seq) {
    const known = history(id);
    if (known.lines.some((line) => line.seq === seq)) return;
    const [before, after] = await Promise.all([look(id, {before: seq}), look(id, {after: seq - 1})]);
    Object.assign(known, {
      lines: [...before.lines, ...after.lines], oldest: !before.more, newest: !after.more && reaches(id, after.lines), loaded: true,
    });
    emit(`lines:${id}`);
  },

  /** Shown at once, kept until the gateway has it, sent when it can be. */
  async say(id, text) {
    const label = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const entry = {label, conversation: id, text, time: Date.now(), delivery: "waiting", account: model.account.name};
    addWaiting(entry);
    emit("conversations");
    await keep.queue(entry);
    return flushOne(id);
  },
  /** A line that the gateway refused, or that waits here: away with it; true when it was still here. */
  drop(label) {
    const line = waiting.get(label);
    if (!line) return false;
    settle(label);
    emit(`lines:${line.conversation}`);
    emit("conversations");
    return true;
  },
  retry(label) {
    const line = waiting.get(label);
    if (!line) return;
    line.delivery = "waiting";
    emit(`lines:${line.conversation}`);
    flushOne(line.conversation);
  },
  waitingCount: () => waiting.size,

  markRead(id, seq) {
    const conversation = model.conversations.get(id);
    if (!conversation || seq <= conversation.read || link.state !== "online") return;
    conversation.read = seq;
    if (seq >= conversation.last) conversation.unread = 0; // otherwise the gateway counts and tells
    emit("conversations");
    link.ask("read", {conversation: id, seq}).catch(() => {});
  },

  /** From what this device keeps, when the gateway cannot be reached; false without it. */
  async restore() {
    const kept = await keep.snapshot();
    if (model.ready || !kept) return false;
    Object.assign(model, {
      account: kept.account, operator: kept.operator,
      contacts: byId(kept.contacts), conversations: byId(kept.conversations), invites: byId(kept.invites),
    });
    kept.previews.forEach(([id, line]) => previews.set(id, line));
    for (const entry of await keep.outbox()) addWaiting(entry);
    for (const topic of ["account", "contacts", "conversations", "invites"]) emit(topic);
    return true;
  },

  start() {
    link.on("changes", takeChanges);
    link.on("hint", hint);
    link.on("state", (state) => {
      if (state === "online") begin();
      if (state === "signed-out") {
        keep.wipe();
        forgetAll();
      }
      emit("status");
    });
  },
};
