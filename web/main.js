// SPDX-License-Identifier: ISC
// The shell: what is shown while signed in, out or offline; the table of routes; one view at a time.
import {h, icon, replace} from "./dom.js";
import {link} from "./link.js";
import {model} from "./model.js";
import {keep, setting} from "./keep.js";
import {loadWords, t} from "./words.js";
import {watchNotifications} from "./notify.js";
import {posts} from "./posts.js";
import {openSwitcher} from "./switcher.js";

// `list`: the list of conversations stands beside it. `minor`: behind "more" on a phone. `bare`: the view
// draws its own header.
export const routes = {
  chats: {load: () => import("./views/chats.js"), list: true, bare: true, icon: "chats", label: "app.chats"},
  chat: {load: () => import("./views/chat.js"), list: true, bare: true, under: "chats", label: "app.chats"},
  posts: {load: () => import("./views/posts.js"), icon: "posts", label: "app.posts"},
  invites: {load: () => import("./views/invites.js"), icon: "invites", label: "app.invites"},
  contacts: {load: () => import("./views/contacts.js"), icon: "contacts", label: "app.contacts"},
  friends: {load: () => import("./views/friends.js"), icon: "friends", label: "app.friends", minor: true},
  network: {load: () => import("./views/network.js"), icon: "network", label: "app.network", minor: true},
  guide: {load: () => import("./views/guide.js"), icon: "guide", label: "app.guide", minor: true},
  settings: {load: () => import("./views/settings.js"), icon: "settings", label: "app.settings", minor: true},
};
const STATE_LINE_MS = 2_500; // a link that comes back sooner is not worth a word

const narrow = matchMedia("(max-width: 760px)"); // as app.css
const root = document.getElementById("app");
let shell = null;   // the parts of the page while signed in
let current = null; // {name, arg, cleanup}
let carried = null; // the query of go(), until its route is shown
let pageTitle = "";

/** "#/chat/alice?at=7" → {name: "chat", arg: "alice", query}. */
function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  let arg = "";
  try {
    arg = decodeURIComponent(rest.join("/"));
  } catch {
    // Not one of our links: the view opens without an argument.
  }
  return {name: Object.hasOwn(routes, name) ? name : "chats", arg, query: new URLSearchParams(query)};
}

/** What a view may do with the shell around it. */
const app = {
  /** A query with `text` is handed over in memory: an invite has no place in the browser's history. */
  go(path) {
    const [bare, query] = path.replace(/^#?\/?/, "#/").split("?");
    carried = new URLSearchParams(query);
    const target = carried.has("text") || !query ? bare : `${bare}?${query}`;
    if (location.hash === target) showRoute();
    else location.hash = target;
  },
  title(text) {
    pageTitle = text;
    showTitle();
    const heading = shell?.header.querySelector("h1");
    if (heading) heading.textContent = text;
  },
  /** In place of the title; without a node the title again. */
  setHeader(node) {
    if (node) replace(shell.header, node);
    else replace(shell.header, h("h1", {tabindex: -1}, pageTitle));
  },
};

function showTitle() {
  const count = {chats: model.unreadTotal(), posts: posts.unread()};
  const unread = count.chats + count.posts;
  document.title = [unread ? `(${unread}) ` : "", pageTitle, pageTitle ? " – " : "", "retrogate"].join("");
  if (navigator.setAppBadge) (unread ? navigator.setAppBadge(unread) : navigator.clearAppBadge()).catch(() => {});
  for (const badge of document.querySelectorAll(".nav-unread")) {
    const {[badge.dataset.of]: n} = count;
    badge.hidden = n === 0;
    badge.firstChild.textContent = n > 99 ? "99+" : String(n);
  }
}

function navItem(name, {icon: sign, label}) {
  return h("li", {}, h("a.nav-item", {href: `#/${name}`, dataset: {route: name}},
    icon(sign), h("span", {}, t(label)),
    name === "chats" || name === "posts" ? h("span.nav-unread", {hidden: true, dataset: {of: name}}, h("b"), h("span.hidden", {}, ` ${t("app.unread")}`)) : null));
}

function makeShell() {
  const listed = Object.entries(routes).filter(([, route]) => route.icon);
  const more = h("div#more.sheet", {popover: "auto"}, h("ul", {}, listed
    .filter(([, route]) => route.minor).map(([name, route]) => navItem(name, route))));
  more.addEventListener("click", () => more.hidePopover());
  const parts = {
    skip: h("a.skip", {href: "#main", onclick: (event) => {
      event.preventDefault();
      (parts.main.querySelector("textarea, h1, a, button") ?? parts.main).focus();
    }}, t("app.skip")),
    state: h("div.state-line", {role: "status", hidden: true}),
    nav: h("nav.rail", {"aria-label": t("app.navigation")},
      h("ul", {}, listed.map(([name, route]) => {
        const item = navItem(name, route);
        if (route.minor) item.classList.add("minor");
        return item;
      }),
      h("li.rail-end", {}, h("button.nav-item", {type: "button", onclick: () => openSwitcher(app), title: t("switcher.tip")},
        icon("search"), h("span", {}, t("switcher.open")))),
      h("li.rail-more", {}, h("button.nav-item", {type: "button", popovertarget: "more"},
        icon("menu"), h("span", {}, t("app.more")))))),
    list: h("div.list-pane", {role: "complementary", "aria-label": t("app.chats")}),
    header: h("header.view-header"),
    view: h("section.view"),
  };
  parts.main = h("main#main.main", {tabindex: -1}, parts.header, parts.view);
  parts.root = h("div.shell", {}, parts.skip, parts.nav, parts.list, parts.main, parts.state, more);
  return parts;
}

async function showRoute() {
  if (!shell) return;
  const {name, arg, ...rest} = parse(location.hash);
  const query = carried ?? rest.query;
  carried = null;
  const route = routes[name];
  const first = current === null;
  current?.cleanup?.();
  const mine = current = {name, arg, cleanup: null};
  const under = route.under ?? name;
  for (const item of document.querySelectorAll(".nav-item[data-route]")) {
    if (item.dataset.route === under) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
  }
  shell.root.dataset.view = query.has("search") ? "search" : name;
  shell.list.hidden = !route.list;
  shell.header.hidden = Boolean(route.bare);
  markList();
  replace(shell.view);
  const section = h("section.view", {class: `view-${name}`});
  shell.view.replaceWith(section);
  shell.view = section;
  app.title(t(route.label));
  app.setHeader(null);
  try {
    if (route.list) await needList(shell);
    const view = await route.load();
    if (current !== mine) return;
    mine.cleanup = view.open(section, {arg, query}, app) ?? null;
  } catch (failure) {
    if (current !== mine) return;
    console.error(failure);
    replace(section, h("div.empty", {}, icon("alert"), h("p", {}, t("app.view_failed")),
      h("button.button", {type: "button", onclick: showRoute}, t("app.again"))));
  }
  if (!first && !section.contains(document.activeElement)) {
    ((route.bare ? section : shell.header).querySelector("h1") ?? shell.main).focus({preventScroll: true});
    if (name === "chats") shell.list.querySelector("h2")?.focus({preventScroll: true}); // all there is on a phone
  }
}

function needList(parts) {
  parts.listed ??= routes.chats.load().then(({openList}) => {
    if (parts !== shell) return;
    parts.closeList = openList(parts.list, app);
    markList();
  });
  return parts.listed;
}

/** On a phone the list is all there is: then it is the page, not something beside it. */
function markList() {
  if (!shell) return;
  const {view} = shell.root.dataset;
  shell.list.setAttribute("role", narrow.matches && view === "chats" ? "main" : "complementary");
  shell.list.querySelector("h2")?.setAttribute("aria-level", view === "chats" ? "1" : "2");
}

let stateTimer;
function showState() {
  if (!shell) return;
  clearTimeout(stateTimer);
  const {state} = link;
  const was = shell.state.dataset.state;
  const waiting = model.waitingCount();
  const write = (name, text) => {
    shell.state.dataset.state = name;
    shell.state.hidden = false;
    replace(shell.state, icon(name === "online" ? "check" : name === "offline" ? "offline" : "refresh"),
      h("span", {}, text));
    if (name === "offline") {
      shell.state.append(h("button.button.quiet", {type: "button", onclick: () => link.retry()}, t("app.again")));
    }
  };
  if (state === "offline" && link.locked) write("offline", t("signin.locked"));
  else if (state === "offline") write("offline", waiting ? t("offline.waiting", {n: waiting}) : t("offline.offline"));
  else if (state === "connecting") {
    if (was === "offline") write("connecting", t("offline.connecting"));
    else stateTimer = setTimeout(() => link.state === "connecting" && write("connecting", t("offline.connecting")), STATE_LINE_MS);
  } else if (was) {
    write("online", t("offline.online"));
    stateTimer = setTimeout(() => {
      shell.state.hidden = true;
      delete shell.state.dataset.state;
    }, STATE_LINE_MS);
  }
}

function leaveShell() {
  current?.cleanup?.();
  shell?.closeList?.();
  current = null;
  shell = null;
}

function enterShell() {
  if (shell) return;
  shell = makeShell();
  replace(root, shell.root);
  showRoute();
  showState();
  showTitle();
}

async function draw() {
  if (link.state === "signed-out") {
    if (shell) history.replaceState(null, "", "/"); // the address names a person
    leaveShell();
    pageTitle = t("signin.title");
    showTitle();
    const {open} = await import("./views/signin.js");
    if (link.state === "signed-out") open(root, link.session, app);
  } else if (model.account) enterShell();
  else if (link.state === "offline" && !(await model.restore()) && !shell) {
    const waiting = (await keep.outbox()).length;
    replace(root, h("div.boot.empty", {role: "status"}, icon("offline"), h("p", {}, t(link.locked ? "signin.locked" : "offline.no_way")),
      waiting ? h("p", {}, t("offline.waiting", {n: waiting})) : null,
      h("button.button", {type: "button", onclick: () => link.retry()}, t("app.again"))));
  }
}

/** Light, dark, or as the system says. */
export function applyTheme() {
  const theme = setting("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** After another language was chosen: everything is drawn anew. */
export function redraw() {
  leaveShell();
  draw();
}

async function registerWorker() {
  if (!navigator.serviceWorker) return;
  const policy = globalThis.trustedTypes?.createPolicy("retrogate", {createScriptURL: (url) => {
    if (url !== "/sw.js") throw new TypeError("no script of ours");
    return url;
  }});
  await navigator.serviceWorker.register(policy ? policy.createScriptURL("/sw.js") : "/sw.js").catch(() => {});
}

narrow.addEventListener("change", markList);
addEventListener("hashchange", showRoute);
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k" && shell) {
    event.preventDefault();
    openSwitcher(app);
  }
});

applyTheme();
// The parts of the first view come while the gateway is asked who is there.
for (const name of new Set([parse(location.hash).name, "chats"])) routes[name].load().catch(() => {});
await loadWords();
model.on("account", draw);
model.on("conversations", () => {
  showTitle();
  if (link.state === "offline") showState(); // one line more may wait
});
posts.on("posts", showTitle);
model.on("status", showState);
model.on("status", draw);
model.on("ready", draw);
model.start();
posts.start();
watchNotifications(app);
link.start(() => t("offline.no_way"));
registerWorker();
