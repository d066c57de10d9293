// SPDX-License-Identifier: ISC
// The page's own files for when the gateway cannot be reached. Never anything of the API.
const CACHE = "retrogate-3";
const PATIENCE_MS = 3_000; // then the kept file is shown
const FILES = [
  "/", "/app.css", "/chat.css", "/places.css", "/icon.svg", "/icon-192.png", "/manifest.webmanifest",
  "/main.js", "/link.js", "/model.js", "/posts.js", "/dom.js", "/words.js", "/keep.js", "/notify.js", "/switcher.js", "/qr.js",
  "/lang/en.json", "/lang/de.json", "/lang/fr.json", "/lang/said.json",
  ...["signin", "chats", "chat", "log", "line", "composer", "about", "search", "guide", "invites", "contacts", "friends",
    "network", "netmap", "settings", "avatar", "found", "openbox", "parts", "protection", "posts", "post", "post_write", "post_links"].map((view) => `/views/${view}.js`),
];

// One file that is missing must not keep the others away.
const keepAll = async () => {
  const cache = await caches.open(CACHE);
  await Promise.allSettled(FILES.map((file) => cache.add(new Request(file, {cache: "reload"}))));
};

const forgetOld = async () => {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await clients.claim();
};

async function answer(request, path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path);
  const fresh = fetch(request).then(async (reply) => {
    if (reply.ok) await cache.put(path, reply.clone());
    return reply;
  });
  if (!kept) return fresh;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, kept.clone()));
  return Promise.race([fresh.catch(() => kept), late]);
}

addEventListener("install", (event) => event.waitUntil(keepAll().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(forgetOld()));
addEventListener("fetch", (event) => {
  const {origin, pathname} = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !FILES.includes(pathname)) return;
  event.respondWith(answer(event.request, pathname));
});

addEventListener("notificationclick", (event) => {
  const {path} = event.notification.data;
  event.notification.close();
  event.waitUntil((async () => {
    const [page] = await clients.matchAll({type: "window"});
    if (!page) return clients.openWindow(`/#${path}`);
    await page.focus();
    page.postMessage({path});
  })());
});
