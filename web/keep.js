// SPDX-License-Identifier: ISC
// What this device keeps. Settings of the device stay; all else is wiped at sign-out. Lines that wait to be
// sent and drafts are kept on every device, conversations only on one that the person called their own.

const PREFIX = "retrogate.";
const STORES = {outbox: "label", drafts: "conversation", objects: "name", lines: ["conversation", "seq"]};
const LINES_READ = 300;

export function setting(name, otherwise = null) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function setSetting(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing still works until it is closed.
  }
}

let opened;
function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("retrogate", 1);
    request.onupgradeneeded = () => {
      for (const [store, keyPath] of Object.entries(STORES)) request.result.createObjectStore(store, {keyPath});
    };
    request.onsuccess = () => {
      const db = request.result;
      // Another tab signs out: let go, so that it can wipe.
      db.onversionchange = () => {
        db.close();
        opened = undefined;
      };
      resolve(db);
    };
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function use(store, mode, work) {
  try {
    const db = await database();
    return await new Promise((resolve, reject) => {
      const transaction = db.transaction(store, mode);
      const request = work(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } catch {
    return undefined; // no room, or a private window: nothing is kept
  }
}

const put = (store, value) => use(store, "readwrite", (box) => box.put(value));
const get = (store, key) => use(store, "readonly", (box) => box.get(key));
const remove = (store, key) => use(store, "readwrite", (box) => box.delete(key));
const ofConversation = (id) => IDBKeyRange.bound([id, 0], [id, Infinity]);

export const keep = {
  get own() {
    return setting("own", false);
  },
  setOwn(own) {
    setSetting("own", own || null);
    if (!own) {
      use("lines", "readwrite", (box) => box.clear());
      use("objects", "readwrite", (box) => box.clear());
    }
  },

  /** As they were written: their labels, by which they are kept, are random. */
  outbox: async () => ((await use("outbox", "readonly", (box) => box.getAll())) ?? []).sort((a, b) => a.time - b.time),
  queue: (entry) => put("outbox", entry),
  unqueue: (label) => remove("outbox", label),

  draft: async (conversation) => (await get("drafts", conversation))?.text ?? "",
  setDraft: (conversation, text) =>
    text ? put("drafts", {conversation, text}) : remove("drafts", conversation),

  snapshot: async () => (await get("objects", "model"))?.value,
  saveSnapshot: async (value) => keep.own && put("objects", {name: "model", value}),

  async saveLines(lines) {
    if (!keep.own || lines.length === 0) return;
    await use("lines", "readwrite", (box) => lines.forEach((line) => box.put(line)));
  },
  forgetLines: (conversation) => use("lines", "readwrite", (box) => box.delete(ofConversation(conversation))),
  forgetAllLines: () => use("lines", "readwrite", (box) => box.clear()),
  newestKept: (conversation) => keep.lines(conversation, 1).then(([line]) => line?.seq ?? 0),
  /** The newest ones, in order. */
  async lines(conversation, most = LINES_READ) {
    const found = [];
    await use("lines", "readonly", (box) => {
      box.openCursor(ofConversation(conversation), "prev").onsuccess = ({target: {result: cursor}}) => {
        if (!cursor || found.length >= most) return;
        found.unshift(cursor.value);
        cursor.continue();
      };
    });
    return found;
  },

  async clear() {
    for (const store of Object.keys(STORES)) await use(store, "readwrite", (box) => box.clear());
  },
  async wipe() {
    setSetting("own", null);
    setSetting("account", null);
    await keep.clear();
  },
};
