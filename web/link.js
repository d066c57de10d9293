// SPDX-License-Identifier: ISC
// The way to the gateway: the session over HTTP, and one WebSocket that carries the JSON form (api.md).

/** A refusal of the gateway or of the way to it, with a sentence for a person; `said`: by the gateway, in English. */
export class Failure extends Error {
  constructor(code, text, said = false) {
    super(text);
    Object.assign(this, {code, text, said});
  }
}

const BACK_OFF_MS = {first: 500, most: 20_000};
const SILENCE_MS = 45_000; // without a word from the gateway this long it is asked
const ANSWER_MS = 8_000;   // how long it may take to say hello

/** A small emitter: on(topic, fn) gives the function that takes it off again. */
export function emitter() {
  const listeners = new Map();
  return {
    on(topic, fn) {
      if (!listeners.has(topic)) listeners.set(topic, new Set());
      listeners.get(topic).add(fn);
      return () => listeners.get(topic).delete(fn);
    },
    emit(topic, ...values) {
      for (const fn of [...(listeners.get(topic) ?? [])]) fn(...values);
    },
  };
}

const {on, emit} = emitter();
const asked = new Map();
let offlineText = () => "offline";
let socket = null;
let token = "";
let attempts = 0;
let nextId = 0;
let timer, heard = 0, dialling = false;

async function http(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method, cache: "no-store", credentials: "same-origin",
      headers: {
        ...(token ? {"X-Retrogate-Token": token} : {}),
        ...(body === undefined ? {} : {"Content-Type": "application/json"}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Failure("offline", offlineText());
  }
  const value = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw new Failure(value.error?.code ?? `http-${answer.status}`, value.error?.text ?? `HTTP ${answer.status}`, true);
  }
  return value;
}

function become(state, detail) {
  if (link.state === state) return;
  link.state = state;
  emit("state", state, detail);
}

function forget(text) {
  const waiting = [...asked.values()];
  asked.clear();
  for (const {reject} of waiting) reject(new Failure("lost", text));
}

/** The next try asks for the session first, so a channel that was closed with 4401 ends at the sign-in. */
function again() {
  clearTimeout(timer);
  const limit = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** attempts++);
  timer = setTimeout(connect, limit * (0.5 + Math.random() / 2));
}

function drop() {
  if (!socket) return;
  const old = socket;
  socket = null;
  old.onopen = old.onmessage = old.onclose = null;
  old.close();
  forget(offlineText());
}

async function connect() {
  clearTimeout(timer);
  if (dialling || socket) return;
  dialling = true;
  try {
    const session = await http("GET", "/api/1/session");
    link.session = session;
    link.locked = session.vault === "locked";
    token = session.token ?? "";
    if (session.signed_in) dial();
    // A locked vault lets nobody in, but signs nobody out.
    else if (link.locked && link.state !== "signed-out") {
      become("offline");
      again();
    } else become("signed-out", session);
  } catch {
    link.locked = false;
    become("offline");
    again();
  } finally {
    dialling = false;
  }
}

function dial() {
  if (link.state !== "online") become("connecting");
  const url = new URL("/api/1/live", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url, ["retrogate.1", `token.${token}`]);
  socket.onopen = () => {
    heard = Date.now();
    become("online");
  };
  socket.onmessage = ({data}) => {
    heard = Date.now();
    attempts = 0; // only now the log-in was taken
    take(JSON.parse(data));
  };
  socket.onclose = () => {
    const opened = link.state === "online";
    socket = null;
    forget(offlineText());
    become(opened ? "connecting" : "offline");
    again();
  };
}

function take(message) {
  if ("id" in message) {
    const waiting = asked.get(message.id);
    asked.delete(message.id);
    if (!waiting) return;
    if (message.error) waiting.reject(new Failure(message.error.code, message.error.text, true));
    else waiting.resolve(message.done ?? {});
  } else if (message.changes) emit("changes", message);
  else if (message.hint) emit("hint", message.hint);
}

/** Is somebody still there? After sleep a socket may look open and be dead. */
async function check() {
  if (!socket || link.state !== "online") return;
  const asking = socket;
  const late = setTimeout(() => {
    if (socket !== asking) return;
    drop();
    become("connecting");
    connect();
  }, ANSWER_MS);
  await link.ask("hello").catch(() => {});
  clearTimeout(late);
}

function wake() {
  if (link.state === "signed-out") return;
  if (socket) check();
  else {
    attempts = 0;
    connect();
  }
}

addEventListener("online", wake);
addEventListener("offline", () => {
  // What is on this machine stays reachable without a network: ask before believing it.
  if (socket) check();
});
document.addEventListener("visibilitychange", () => document.hidden || wake());
document.addEventListener("resume", wake); // a page that was frozen
setInterval(() => Date.now() - heard > SILENCE_MS && check(), SILENCE_MS / 3);

export const link = {
  on,
  http,
  state: "connecting",
  locked: false, // the gateway is there and lets nobody in yet
  session: null,

  /** The answer of a command; rejects with Failure, code "lost" when it is unknown whether it was heard. */
  ask(command, args = {}) {
    if (!socket || socket.readyState !== WebSocket.OPEN) return Promise.reject(new Failure("offline", offlineText()));
    const id = nextId++;
    socket.send(JSON.stringify({id, do: command, ...args}));
    return new Promise((resolve, reject) => asked.set(id, {resolve, reject}));
  },

  /** Brings a file; told(part) hears how much of it is there, from 0 to 1. {done: its upload's id, stop()}. */
  upload(file, told = () => {}) {
    const request = new XMLHttpRequest(); // fetch() does not tell how far it is
    const done = new Promise((resolve, reject) => {
      request.upload.onprogress = ({loaded, total}) => told(total ? loaded / total : 0);
      request.onabort = () => reject(new Failure("stopped", ""));
      request.onerror = () => reject(new Failure("offline", offlineText()));
      request.onload = () => {
        const {upload, error} = request.response ?? {};
        if (request.status === 200) resolve(upload);
        else reject(new Failure(error?.code ?? `http-${request.status}`, error?.text ?? `HTTP ${request.status}`, true));
      };
    });
    request.open("POST", "/api/1/uploads");
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-Retrogate-Token", token);
    request.send(file);
    return {done, stop: () => request.abort()};
  },

  /** Tries now, whatever the back-off says. */
  retry() {
    attempts = 0;
    return connect();
  },

  start(sayOffline) {
    offlineText = sayOffline;
    return connect();
  },

  async signIn(account, password, keep) {
    await http("POST", "/api/1/session", {account, password, keep});
    return connect();
  },
  async setUp(values) {
    await http("POST", "/api/1/setup", values);
    return connect();
  },
  async signOut() {
    await http("DELETE", "/api/1/session");
    clearTimeout(timer);
    drop();
    token = "";
    link.session = {...link.session, signed_in: false, setup: false};
    become("signed-out", link.session);
  },
};
