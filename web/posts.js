// SPDX-License-Identifier: ISC
// What the page knows of posts: the newest of each box, more when asked for, and every change as it comes.
import {emitter, link} from "./link.js";
import {model} from "./model.js";

const PAGE = 100; // of a look into a box; at first twice as many, to count the unread ones

const {on, emit} = emitter();
const known = new Map(); // seq → post
const gone = new Set();  // removed while a list was on its way
const empty = () => ({in: {from: Infinity, more: true}, out: {from: Infinity, more: true}});
let reach = empty();     // how far back each direction is known without holes
let owner = "";

/** The lists of the view, and in which direction their posts go. */
export const BOXES = {in: "in", out: "out", waiting: "out"};

const newestFirst = (a, b) => b.seq - a.seq;
export const waits = (post) => Boolean(post.deliveries?.some(({delivery}) => delivery === "queued"));

// From what the sender must know first to what is well.
const STATES = ["failed", "queued", "not-confirmed", "delivered"];
/** The state of a post as a whole: of several recipients the one that most wants a look. */
export const stateOf = ({deliveries = []}) => STATES.find((state) => deliveries.some(({delivery}) => delivery === state)) ?? null;

/** Who is on the other side: the senders of what came, the recipients of what went. */
export const others = (post) => (post.direction === "in" ? post.from : [...post.to, ...post.cc]);
export const nameIn = ({name, address}) => name || address;

function isOwn(address, {name, fingerprint}) {
  const person = address.split("@")[0].toLowerCase();
  return [name, fingerprint, fingerprint.slice(-16)].some((mine) => mine.toLowerCase() === person);
}

/** {to, cc, subject}: what an answer begins with; `all`: to everybody who got the post. */
export function answerTo(post, all, account) {
  const seen = new Set();
  const fresh = (people) => people.map(({address}) => address).filter((address) => {
    const key = address.toLowerCase();
    return !seen.has(key) && seen.add(key) && !isOwn(address, account);
  });
  // To oneself one may write, but not by answering everybody.
  const to = post.direction === "out" ? fresh(post.to) : post.from.map(({address}) => address);
  to.forEach((address) => seen.add(address.toLowerCase()));
  if (all && post.direction === "in") to.push(...fresh(post.to));
  const subject = /^(re|aw|antw)\s*:/i.test(post.subject) ? post.subject : `Re: ${post.subject}`;
  return {to, cc: all ? fresh(post.cc) : [], subject};
}

/** The text of a post as the beginning of an answer, after a line that tells whose it is. */
export const quote = (text, line) => `\n\n${line}\n${text.trimEnd().split("\n").map((row) => (row.startsWith(">") ? `>${row}` : `> ${row}`)).join("\n")}\n`;

/** "a@b, c; d" → the addresses and handles in it. */
export const listOf = (text) => text.split(/[,;\s]+/).filter(Boolean);

function take(post) {
  const before = known.get(post.seq);
  if (gone.has(post.seq) || before?.change > post.change) return;
  known.set(post.seq, post);
  if (!before && post.direction === "in" && !post.seen && reach.in.from < post.seq) emit("incoming", post);
}

function takeChanges({changes}) {
  let told = false;
  for (const {post, gone: {post: seq} = {}} of changes) {
    if (post) take(post);
    if (seq !== undefined) {
      known.delete(seq);
      gone.add(seq);
    }
    told ||= Boolean(post) || seq !== undefined;
  }
  if (told) emit("posts");
}

async function look(direction, max) {
  const end = reach[direction];
  const mine = reach;
  const {posts: found, more} = await link.ask("post.list", {box: direction, max,
    ...(end.from === Infinity ? {} : {before: end.from})});
  if (mine !== reach) return; // another account meanwhile
  for (const post of found) if (!gone.has(post.seq) && !(known.get(post.seq)?.change > post.change)) known.set(post.seq, post);
  end.from = Math.min(end.from === Infinity ? Number.MAX_SAFE_INTEGER : end.from, ...found.map(({seq}) => seq));
  if (!more) end.from = 0;
  end.more = Boolean(more);
  emit("posts");
}

async function begin() {
  const now = model.account ? `${model.account.name} ${model.epoch}` : "";
  if (now !== owner) {
    known.clear();
    gone.clear();
    reach = empty();
    owner = now;
  }
  if (model.ready && reach.in.from === Infinity) await look("in", 2 * PAGE).catch(() => {});
  emit("posts");
}

export const posts = {
  on,
  get: (seq) => known.get(seq),
  unread: () => [...known.values()].filter((post) => post.direction === "in" && !post.seen).length,
  more: (box) => reach[BOXES[box]].more,

  /** What is known of a box, newest first. */
  list(box) {
    const direction = BOXES[box];
    return [...known.values()].filter((post) => post.direction === direction &&
      (box === "waiting" ? waits(post) : post.seq >= reach[direction].from)).sort(newestFirst);
  },

  /** The first posts of a box, if they are not known yet. */
  async first(box) {
    if (reach[BOXES[box]].from === Infinity) await look(BOXES[box], PAGE);
  },
  older: (box) => look(BOXES[box], PAGE),

  async thread(seq) {
    return (await link.ask("post.list", {box: "all", thread: seq, max: PAGE})).posts.sort((a, b) => a.seq - b.seq);
  },

  start() {
    link.on("changes", takeChanges);
    model.on("ready", begin);
    model.on("status", () => link.state === "signed-out" && begin());
  },
};
