// SPDX-License-Identifier: ISC
// Posts: the lists of what came, what went and what waits, the search over them; a post, or writing one, by the address.
import {avatarOf, causeOf, h, icon, replace} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {BOXES, nameIn, others, posts, stateOf} from "../posts.js";
import {brief, said, t} from "../words.js";
import {excerpt} from "./line.js";
import {badge, button, keyed, notice} from "./parts.js";

const SEARCH_BYTES = 256, SEARCH_AFTER_MS = 250, SEARCH_PAGE = 50;
const EMPTY_AFTER_LOOKS = 8; // so many pages a search reads by itself when nothing was found

// What is known of the sender, what protected a post on its way, what became of it: a sign, and always a word.
const VERDICTS = {
  signed: ["good", "check"], unsigned: ["warn", "alert"], "bad-signature": ["bad", "alert"], "unknown-sender": ["warn", "user"],
  "not-addressed": ["warn", "alert"], locked: ["", "lock"], gateway: ["", "info"],
};
const PROTECTIONS = {sealed: ["good", "shield"], classic: ["", "lock"], none: ["", "lock-open"]};
const DELIVERIES = {queued: ["warn", "clock"], "not-confirmed": ["", "unsure"], delivered: ["good", "checks"], failed: ["bad", "alert"]};

const plain = (word) => word.replaceAll("-", "_");
const titled = (node, text) => {
  if (text) node.title = said(text) ?? text;
  return node;
};

export function verdictMark({verdict, verdict_text: text}) {
  const [kind, sign] = VERDICTS[verdict] ?? VERDICTS.unsigned;
  return titled(badge(t(`posts.verdict_${plain(verdict in VERDICTS ? verdict : "unsigned")}`), kind, sign), text);
}

export function protectionMark({protection}) {
  const [kind, sign] = PROTECTIONS[protection] ?? PROTECTIONS.none;
  return badge(t(`chat.protection_${protection in PROTECTIONS ? protection : "none"}`), kind, sign);
}

export function deliveryMark(delivery) {
  const [kind, sign] = DELIVERIES[delivery] ?? DELIVERIES.queued;
  return badge(t(`posts.delivery_${plain(delivery in DELIVERIES ? delivery : "queued")}`), kind, sign);
}

/** In a list: only what is not as it should be gets a word. */
export const smallMark = (sign, word) => h("span.post-mark", {title: word}, icon(sign, word));

/** The title of a view with the way back to a list before it. */
export const backHeader = (title, href) => h("div.row.post-head", {},
  h("a.icon-button", {href, "aria-label": t("app.back"), title: t("app.back")}, icon("back")), h("h1.grow", {tabindex: -1, dir: "auto"}, title));

/** One post in a list; `update` draws it anew only when something of it changed. */
export function postRow(first) {
  const anchor = h("a.thread.post-row");
  const update = (post) => {
    const {seq, change, seen, flagged, answered, attachments, subject, preview, direction, verdict} = post;
    const looks = `${change} ${brief(post.time)}`;
    if (anchor.dataset.looks === looks) return;
    anchor.dataset.looks = looks;
    const people = others(post), names = people.map(nameIn).join(", ") || "?";
    const contact = model.contacts.get(post.contact) ?? model.contacts.get(post.deliveries?.[0]?.contact);
    anchor.href = `#/posts/${seq}`;
    anchor.classList.toggle("has-unread", direction === "in" && !seen);
    replace(anchor,
      avatarOf(nameIn(people[0] ?? {name: "?"}), contact?.fingerprint, model.conversation(contact?.conversation)?.avatar),
      h("span.thread-text", {},
        h("span.thread-top", {},
          direction === "in" && !seen ? h("span.post-new", {}, h("span.hidden", {}, t("app.unread"))) : null,
          h("span.thread-name", {}, direction === "out" ? h("span.soft", {}, `${t("posts.to")}: `) : null, h("bdi", {}, names)),
          flagged ? smallMark("star", t("posts.flagged")) : null,
          answered ? smallMark("reply", t("posts.answered")) : null,
          attachments ? smallMark("paperclip", t("posts.attachments", {n: attachments})) : null,
          h("time.thread-time", {}, brief(post.time))),
        h("span.post-subject", {dir: "auto"}, subject || t("posts.no_subject")),
        h("span.thread-preview", {}, h("span", {dir: "auto"}, excerpt(preview)),
          direction === "out" ? stateOf(post) && deliveryMark(stateOf(post))
            : verdict !== "signed" && verdict !== "gateway" ? verdictMark(post) : null)));
  };
  update(first);
  return {element: h("li", {}, anchor), update};
}

/** Up and down walk the list. */
function walk(list) {
  list.addEventListener("keydown", (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (!step) return;
    const links = [...list.querySelectorAll("a")];
    links[links.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  });
  return list;
}

const tabs = (here) => h("div.row.post-bar", {},
  h("nav.tabs.grow", {"aria-label": t("app.posts")},
    [...Object.keys(BOXES), "links"].map((box) => h("a", {href: `#/posts/${box}`, "aria-current": box === here ? "page" : null},
      t(`posts.box_${box}`)))),
  h("a.button.primary", {href: "#/posts/new"}, icon("edit"), h("span", {}, t("posts.write"))));

function openBox(root, box) {
  const list = walk(h("ul.threads.card.post-list", {"aria-label": t(`posts.box_${box}`)}));
  const trouble = h("div");
  const none = h("div.empty", {hidden: true}, icon("posts"), h("p", {}, t(`posts.none_${box}`)));
  const more = button(t("posts.older"), () => grow(() => posts.older(box)), {kind: "quiet"});
  const found = h("div", {hidden: true, "aria-live": "polite"});
  const fill = keyed(list, ({seq}) => seq, postRow);
  let loading = true;

  function draw() {
    if (!found.hidden) return;
    const shown = posts.list(box);
    fill(shown);
    list.hidden = shown.length === 0;
    none.hidden = loading || shown.length > 0 || posts.more(box) || trouble.hasChildNodes();
    more.hidden = loading || !posts.more(box);
  }
  async function grow(work) {
    loading = true;
    list.setAttribute("aria-busy", "true");
    replace(trouble);
    try {
      await work();
    } catch (failure) {
      replace(trouble, notice("bad", h("p", {}, causeOf(failure)), button(t("app.again"), () => grow(work))));
    }
    loading = false;
    list.removeAttribute("aria-busy");
    draw();
  }

  const search = searchField((node) => {
    found.hidden = !node;
    for (const each of [list, none, more]) each.hidden = Boolean(node);
    replace(found, node);
    if (!node) draw();
  });
  root.append(h("div.page.posts-page", {}, tabs(box), search, trouble, list, none, h("div.row", {}, more), found));
  grow(() => posts.first(box));
  draw();
  const off = [posts.on("posts", draw), model.on("contacts", draw),
    model.on("ready", () => trouble.hasChildNodes() && grow(() => posts.first(box)))];
  const clock = setInterval(draw, 60_000);
  return () => {
    clearInterval(clock);
    off.forEach((each) => each());
  };
}

/** A field over the lists: in its place what was found, as long as there is something to search for. */
function searchField(show) {
  let timer, asked = 0;
  const input = h("input", {type: "search", placeholder: t("posts.search"), "aria-label": t("posts.search"), autocomplete: "off",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(begin, SEARCH_AFTER_MS);
    }});
  function begin() {
    const mine = ++asked;
    const text = input.value.trim();
    if (!text || new TextEncoder().encode(text).length > SEARCH_BYTES) return show(null);
    const list = walk(h("ul.threads.card.post-list", {"aria-label": t("posts.search"), hidden: true}));
    const status = h("p.soft.small", {role: "status"});
    const more = button(t("chat.search_more"), () => find(), {kind: "quiet", hidden: true});
    let before, count = 0;
    async function find() {
      more.disabled = true;
      try {
        for (let looks = 0; looks < EMPTY_AFTER_LOOKS; looks++) {
          const answer = await link.ask("post.search", {text, max: SEARCH_PAGE, ...(before ? {before} : {})});
          if (mine !== asked) return;
          list.append(...answer.posts.map((post) => postRow(post).element));
          count += answer.posts.length;
          ({before} = answer);
          more.hidden = !answer.more;
          if (answer.posts.length || !answer.more) break;
        }
        list.hidden = count === 0;
        status.textContent = count ? t("posts.found", {n: count}) : t("chat.found_nothing");
      } catch (failure) {
        if (mine === asked) replace(status, causeOf(failure));
      }
      more.disabled = false;
    }
    show([status, list, h("div.row", {}, more)]);
    return find();
  }
  return h("div.search-field", {}, icon("search"), input);
}

export function open(root, {arg, query}, app) {
  const [first, rest] = arg.split("/");
  let left = false, cleanup;
  const later = (loading, start) => {
    root.setAttribute("aria-busy", "true");
    loading.then((view) => {
      root.removeAttribute("aria-busy");
      if (!left) cleanup = start(view);
    }).catch((failure) => replace(root, h("div.page", {}, notice("bad", causeOf(failure)))));
    return () => {
      left = true;
      cleanup?.();
    };
  };
  if (first === "new" || rest) {
    return later(import("./post_write.js"), (view) =>
      view.openWrite(root, {answers: rest ? Number(first) : 0, all: rest === "all", to: query.get("to") ?? "", subject: query.get("subject") ?? ""}, app));
  }
  if (/^\d+$/.test(first)) return later(import("./post.js"), (view) => view.openPost(root, Number(first), app));
  const box = Object.hasOwn(BOXES, first) ? first : "in";
  if (first === "links") return later(import("./post_links.js"), (view) => view.openLinks(root, tabs("links"), app, query.get("text") ?? ""));
  app.title(t("app.posts"));
  return openBox(root, box);
}
