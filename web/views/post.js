// SPDX-License-Identifier: ISC
// One post: who wrote it and how far that is known, its text, what is attached, and what became of it on its way.
import {avatarOf, confirmBox, dialog, dotted, h, icon, replace, sentence, toast} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {nameIn, others, posts, waits} from "../posts.js";
import {ago, bytes, moment, t} from "../words.js";
import {linked} from "./line.js";
import {attempt, badge, button, card, handout, hint, load, notice} from "./parts.js";
import {backHeader, deliveryMark, postRow, protectionMark, verdictMark} from "./posts.js";

const KINDS_WITH_WORDS = new Set(["report", "answer"]);

// The gateway made the HTML harmless; the frame would make any harmless: nothing runs in it, and nothing is loaded.
const FRAME_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
const PAPER = "margin:12px;background:#fff;color:#111;font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere";
const policy = globalThis.trustedTypes?.createPolicy("retrogate-post", {createHTML: (html) => html});

function htmlFrame(html) {
  // "<" stands in no attribute of the gateway's HTML: these are its links, and they open beside the page.
  const body = html.replaceAll("<a href=", '<a target="_blank" href=');
  const whole = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${FRAME_POLICY}">` +
    `<meta name="referrer" content="no-referrer"><body style="${PAPER}">${body}`;
  const frame = h("iframe.post-html", {sandbox: "allow-popups allow-popups-to-escape-sandbox", title: t("posts.html_frame"), referrerpolicy: "no-referrer"});
  frame.srcdoc = policy ? policy.createHTML(whole) : whole;
  return frame;
}

const people = (list) => list.flatMap((person, index) => [index ? ", " : "", h("bdi", {title: person.address}, nameIn(person)),
  person.name ? h("span.soft", {dir: "ltr"}, ` <${person.address}>`) : null]);

const peopleRow = (word, list) => (list.length ? h("div.post-people", {}, h("span.soft", {}, `${t(word)}: `), people(list)) : null);

function attachments({seq, parts}) {
  return parts.length === 0 ? null : h("section.stack", {}, h("h2", {}, t("posts.attachments", {n: parts.length})),
    h("ul.list.post-parts", {role: "list"}, parts.map(({part, name, type, size}) => h("li", {},
      h("a.item", {href: `/api/1/posts/${seq}/parts/${part}`, download: name || `part-${part}`}, icon("paperclip"),
        h("span.grow.stack-tight", {}, h("bdi", {}, name || t("posts.unnamed")), hint(dotted(type, bytes(size)))),
        icon("download", t("posts.download")))))));
}

function references({files}) {
  return files.length === 0 ? null : h("section.stack", {}, h("h2", {}, t("posts.files")), hint(t("posts.files_help")),
    files.map(({name, size, link: text}) => handout(size ? `${name} · ${bytes(size)}` : name, text, {qr: false})));
}

/** To give up the protection is never done by a click alone. */
function lower({seq}, {contact, delivery: state}) {
  const run = async () => {
    // What waits is not sent again: it ends first. When it went meanwhile, that is told.
    if (state === "queued") await link.ask("post.withdraw", {seq, contact});
    return link.ask("post.resend", {seq, contact, lower: true});
  };
  return dialog({title: t("posts.lower_title"),
    body: [h("p", {}, t("posts.lower_text")), h("p.notice.warn", {}, icon("alert"), h("span", {}, t("posts.lower_ask")))],
    actions: [{text: t("app.cancel")}, {text: t("posts.lower_do"), kind: "danger", run}]});
}

function deliveryRow(post, delivery) {
  const {contact, handle, address, delivery: state, protection, reason, until, since} = delivery;
  const again = state === "failed" || state === "not-confirmed";
  const one = {seq: post.seq, ...(contact ? {contact} : {})};
  return h("li.item.delivery-row", {}, h("div.grow.stack-tight", {},
    h("div.row", {}, h("strong", {}, h("bdi", {}, model.contacts.get(contact)?.name || handle || address)), deliveryMark(state),
      protection && protection !== "none" ? protectionMark(delivery) : null),
    reason ? h("p.small", {}, sentence(reason)) : null,
    hint(state === "queued" && until ? t("posts.until", {when: moment(until)})
      : state === "not-confirmed" ? t("posts.not_confirmed_means") : since ? ago(since) : "")),
  h("div.row", {},
    state === "queued" ? button(t("posts.withdraw"), () => attempt("post.withdraw", one), {kind: "quiet", sign: "close"}) : null,
    again ? button(t("posts.resend"), () => attempt("post.resend", one), {sign: "refresh"}) : null,
    contact && (again || state === "queued") && protection !== "classic" && model.contacts.get(contact)?.posts === "sealed"
      ? button(t("posts.lower"), () => lower(post, delivery), {kind: "quiet danger", sign: "lock-open"}) : null));
}

function body(post, app) {
  const openLink = (url) => app.go(/^retroshare:\/\/\/?(public_msg|message)\b/.test(url) ? `/posts/links?text=${encodeURIComponent(url)}`
    : `/invites?text=${encodeURIComponent(url)}`);
  const text = h("div.post-text", {dir: "auto"}, linked(post.text, openLink));
  const shown = h("div", {}, text);
  const cut = post.text_cut ? notice("", t("posts.text_cut")) : null;
  if (!post.html) return [shown, cut];
  let rich = false;
  const change = button(t("posts.show_html"), () => {
    rich = !rich;
    replace(shown, rich ? htmlFrame(post.html) : text);
    replace(change, icon("eye"), h("span", {}, t(rich ? "posts.show_text" : "posts.show_html")));
    change.setAttribute("aria-pressed", String(rich));
  }, {kind: "quiet", sign: "eye", "aria-pressed": "false"});
  return [shown, cut, h("div.row", {}, change, hint(t("posts.html_help")))];
}

async function remove(post, app) {
  if (!await confirmBox(t(waits(post) ? "posts.delete_waiting" : "posts.delete_sure"), t("posts.delete"))) return;
  if (await attempt("post.delete", {seq: post.seq})) {
    toast(t("posts.deleted"));
    app.go(`/posts/${post.direction}`);
  }
}

function thread(post) {
  const node = h("section.stack", {hidden: true});
  posts.thread(post.thread).then((all) => {
    if (all.length < 2) return;
    node.hidden = false;
    replace(node, h("h2", {}, t("posts.thread")), h("ul.threads.card.post-list", {"aria-label": t("posts.thread")}, all.map((each) => {
      const {element} = postRow(each);
      if (each.seq === post.seq) element.firstChild.setAttribute("aria-current", "page");
      return element;
    })));
  }, () => {});
  return node;
}

export function openPost(root, seq, app) {
  const page = h("div.page.posts-page");
  root.append(page);
  let post, stop = false;
  const tools = h("div.row.post-tools"), marks = h("div.row"), sent = h("div"), others_ = h("div");

  const flag = (name, value) => attempt("post.flag", {seq, [name]: value});
  function drawTools() {
    const {direction, flagged, seen, kind} = post;
    const focused = tools.contains(document.activeElement) && [...tools.children].indexOf(document.activeElement);
    replace(tools,
      direction === "in" && !KINDS_WITH_WORDS.has(kind) ? [
        h("a.button.primary", {href: `#/posts/${seq}/reply`}, icon("reply"), h("span", {}, t("posts.reply"))),
        post.to.length + post.cc.length > 1 ? h("a.button", {href: `#/posts/${seq}/all`}, icon("reply"), h("span", {}, t("posts.reply_all"))) : null] : null,
      direction === "out" ? h("a.button", {href: `#/posts/${seq}/reply`}, icon("reply"), h("span", {}, t("posts.write_more"))) : null,
      button(t(flagged ? "posts.unflag" : "posts.flag"), () => flag("flagged", !flagged), {sign: "star", "aria-pressed": String(flagged)}),
      direction === "in" ? button(t(seen ? "posts.unseen" : "posts.seen"), () => flag("seen", !seen), {sign: seen ? "eye-off" : "eye"}) : null,
      h("a.button", {href: `/api/1/posts/${seq}/message`, download: `post-${seq}.eml`}, icon("download"), h("span", {}, t("posts.whole"))),
      button(t("posts.delete"), () => remove(post, app), {kind: "quiet danger", sign: "trash"}));
    if (focused !== false) (tools.children[focused] ?? tools.firstChild).focus();
  }
  function drawMarks() {
    replace(marks, post.direction === "in" ? [verdictMark(post), post.kind === "post" ? protectionMark(post) : null]
      : [post.signed ? badge(t("posts.verdict_signed"), "good") : badge(t("posts.verdict_unsigned"))]);
    if (post.direction !== "out") return;
    const {deliveries} = post;
    replace(sent, h("section.card.stack", {}, h("h2", {}, t("posts.deliveries")),
      deliveries.length ? h("ul.list", {role: "list", "aria-live": "polite"}, deliveries.map((each) => deliveryRow(post, each)))
        : hint(t("posts.no_deliveries"))));
  }

  const show = () => load(page, async () => {
    post = await link.ask("post.show", {seq});
    if (stop) return [];
    const {direction, subject, time, peer_time: written, verdict, verdict_text: why} = post;
    app.title(subject || t("posts.no_subject"));
    app.setHeader(backHeader(subject || t("posts.no_subject"), `#/posts/${waits(post) ? "waiting" : direction}`));
    const [who] = others(post);
    const contact = model.contacts.get(post.contact ?? post.deliveries?.[0]?.contact);
    drawTools();
    drawMarks();
    replace(others_, thread(post));
    if (direction === "in" && !post.seen && verdict !== "locked") link.ask("post.flag", {seq, seen: true}).catch(() => {});
    return [
      tools,
      h("article.card.stack", {},
        h("div.row.post-who", {}, avatarOf(nameIn(who ?? {name: "?"}), contact?.fingerprint, model.conversation(contact?.conversation)?.avatar),
          h("div.grow.stack-tight", {}, peopleRow("posts.from", post.from), peopleRow("posts.to", post.to), peopleRow("posts.cc", post.cc),
            hint(written && written < time - 60_000 ? t("posts.written", {when: moment(written), came: moment(time)}) : moment(time)))),
        marks,
        direction === "in" && verdict !== "signed" && verdict !== "gateway"
          ? notice(verdict === "locked" ? "" : verdict === "bad-signature" ? "bad" : "warn", h("p", {}, sentence(why))) : null,
        body(post, app), attachments(post), references(post)),
      sent, others_];
  });
  const changed = () => {
    const now = posts.get(seq);
    if (!post || !now || now.change <= post.change) return;
    const locked = post.verdict === "locked" && now.verdict !== "locked";
    Object.assign(post, now);
    if (locked) show();
    else {
      drawTools();
      drawMarks();
    }
  };
  show();
  const offs = [posts.on("posts", changed), model.on("contacts", () => post && drawMarks()), model.on("ready", () => post || show())];
  return () => {
    stop = true;
    offs.forEach((off) => off());
  };
}
