// SPDX-License-Identifier: ISC
// The scrolling log of one conversation. Only a window of its lines is in the document, so ten thousand of
// them scroll like a hundred; what is on screen stays where it is when lines come or go around it.
import {h, icon, replace, told} from "../dom.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {day, t} from "../words.js";
import {excerpt, lineElement} from "./line.js";

const SHOWN_MOST = 240;   // lines in the document
const STEP = 60;          // lines added at an end
const NEAR_PX = 700;      // so close to an end the next ones are fetched
const BOTTOM_PX = 48;     // so close to the end counts as being there
const GROUP_MS = 4 * 60_000;

const keyOf = (line) => line.seq ?? line.label;
const orderOf = (line) => line.seq ?? Infinity; // what waits here comes last
const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

export function makeLog(conversation, {names, actions}) {
  const {id} = conversation;
  const list = h("ol.lines");
  const scroller = h("div.log", {role: "log", "aria-live": "off", "aria-label": t("chat.log"), tabindex: 0}, list);
  const announcer = h("div.hidden", {"aria-live": "polite"});
  const count = h("span.jump-count", {hidden: true});
  // Its name is its content, so that the number of unread lines is heard as it is seen.
  const jump = h("button.icon-button.jump", {type: "button", hidden: true, title: t("chat.jump"), onclick: () => toNewest()},
    icon("down"), h("span.hidden", {}, t("chat.jump")), count);
  const node = h("div.log-frame", {}, scroller, jump, announcer);

  const elements = new Map(); // key → {line, grouped, element}
  let first = -Infinity, last = Infinity; // the window, as positions in the log
  let sticking = true;  // at the end, and staying there
  let marker = conversation.unread > 0 ? conversation.read : null;
  let fetching = false, gone = false, placed = false; // placed: what is on screen is what was meant to be

  const windowed = () => model.lines(id).filter((line) => orderOf(line) >= first && orderOf(line) <= last);

  function elementOf(line, grouped) {
    const known = elements.get(keyOf(line));
    if (known && known.line === line && known.delivery === line.delivery && known.grouped === grouped) return known.element;
    const element = lineElement(line, {grouped, author: line.direction === "out" ? names.mine() : names.theirs(), actions});
    elements.set(keyOf(line), {line, grouped, element, delivery: line.delivery});
    return element;
  }

  function wantedNodes(lines) {
    const wanted = [];
    const daysNow = new Map();
    const firstUnread = marker === null ? null : model.lines(id).find(({direction, seq}) => direction === "in" && seq > marker);
    let before = null;
    if (model.atOldest(id) && lines[0] === model.lines(id)[0]) wanted.push(beginning);
    for (const line of lines) {
      if (!before || !sameDay(before.time, line.time)) {
        daysNow.set(keyOf(line), separator(line));
        wanted.push(daysNow.get(keyOf(line)));
      }
      if (line === firstUnread) wanted.push(unreadMark);
      const grouped = before !== null && before.direction === line.direction && line.direction !== "note" &&
        wanted.at(-1) === elements.get(keyOf(before))?.element && line.time - before.time < GROUP_MS;
      wanted.push(elementOf(line, grouped));
      before = line;
    }
    days = daysNow;
    return wanted;
  }

  const beginning = h("li.beginning", {}, t("chat.beginning"));
  const unreadMark = h("li.unread-mark", {}, h("span", {}, t("chat.unread_mark")));
  let days = new Map(); // key of the line below → the separator
  function separator(line) {
    const element = days.get(keyOf(line)) ?? h("li.day", {}, h("span"));
    const text = day(line.time); // "today" does not stay today
    if (element.textContent !== text) element.firstChild.textContent = text;
    return element;
  }

  /** The first line that is seen now, and how far from the top. */
  function anchor() {
    const top = scroller.getBoundingClientRect().top;
    for (const element of list.children) {
      const box = element.getBoundingClientRect();
      if (box.bottom > top && element.dataset.seq) return {element, key: element.dataset.seq, top: box.top};
    }
    return null;
  }

  function draw() {
    if (gone) return;
    let lines = windowed();
    if (sticking && lines.length > SHOWN_MOST) {
      first = orderOf(lines[lines.length - SHOWN_MOST / 2]);
      lines = windowed();
    }
    const held = sticking ? null : anchor();
    const wanted = wantedNodes(lines);
    const wantedSet = new Set(wanted);
    for (const element of [...list.children]) if (!wantedSet.has(element)) element.remove();
    wanted.forEach((element, index) => {
      if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
    });
    const keys = new Set(lines.map(keyOf));
    for (const key of elements.keys()) if (!keys.has(key)) elements.delete(key);
    if (sticking) scroller.scrollTop = scroller.scrollHeight;
    else if (held) {
      const now = held.element.isConnected ? held.element : list.querySelector(`[data-seq="${held.key}"]`);
      if (now) scroller.scrollTop += now.getBoundingClientRect().top - held.top;
    }
    showJump();
    seen();
  }

  function showJump() {
    jump.hidden = sticking;
    const {unread} = model.conversation(id) ?? {unread: 0};
    count.hidden = unread === 0;
    count.textContent = unread > 99 ? "99+" : String(unread);
  }

  /** The last line that is wholly on screen was read, if somebody looks. */
  function seen() {
    if (!placed || document.hidden || !document.hasFocus()) return;
    const bottom = scroller.getBoundingClientRect().bottom + BOTTOM_PX;
    for (let index = list.children.length - 1; index >= 0; index--) {
      const element = list.children[index];
      if (!element.dataset.seq || element.getBoundingClientRect().bottom > bottom) continue;
      model.markRead(id, Number(element.dataset.seq));
      return;
    }
  }

  /** false when nothing was learned: away from the gateway, what is known here is all there is. */
  async function fetch(which) {
    if (fetching || link.state !== "online") return false;
    fetching = true;
    scroller.setAttribute("aria-busy", "true");
    const more = await told(which === "older" ? model.older(id) : model.newer(id));
    scroller.removeAttribute("aria-busy");
    fetching = false;
    return more !== undefined;
  }

  async function growUp() {
    const lines = model.lines(id);
    const at = lines.findIndex((line) => orderOf(line) >= first);
    if (at <= 0) {
      if (model.atOldest(id) || lines.length === 0 || fetching) return;
      if (await fetch("older") && !gone && first !== -Infinity) growUp();
      return;
    }
    first = orderOf(lines[Math.max(0, at - STEP)]);
    const end = Math.max(0, at - STEP) + SHOWN_MOST;
    if (end < lines.length) last = orderOf(lines[end]);
    draw();
  }

  async function growDown() {
    const lines = model.lines(id);
    const at = lines.findLastIndex((line) => orderOf(line) <= last);
    if (at === lines.length - 1) {
      last = Infinity;
      if (!model.atNewest(id) && !fetching) await fetch("newer");
      return;
    }
    const end = Math.min(lines.length - 1, at + STEP);
    last = end === lines.length - 1 ? Infinity : orderOf(lines[end]);
    if (end > SHOWN_MOST) first = Math.max(first, orderOf(lines[end - SHOWN_MOST]));
    draw();
  }

  let scrolling = false;
  scroller.addEventListener("scroll", () => {
    if (scrolling) return;
    scrolling = true;
    requestAnimationFrame(() => {
      scrolling = false;
      if (gone) return;
      const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
      sticking = below < BOTTOM_PX && last === Infinity && model.atNewest(id);
      if (sticking && list.children.length > SHOWN_MOST) draw();
      // From here on the window is a stretch of the log, not "all that is known".
      if (!sticking && first === -Infinity && windowed().length > 0) first = orderOf(windowed()[0]);
      if (scroller.scrollTop < NEAR_PX) growUp();
      else if (below < NEAR_PX && (last !== Infinity || !model.atNewest(id))) growDown();
      showJump();
      seen();
    });
  });

  async function toNewest(focus = true) {
    if (!model.atNewest(id)) await told(model.newest(id));
    first = -Infinity;
    last = Infinity;
    sticking = true;
    draw();
    if (focus) scroller.focus({preventScroll: true});
  }

  /** Only the log scrolls; scrollIntoView() would move what is around it too. part: 0 top, 1 bottom. */
  function scrollTo(element, part) {
    const box = element.getBoundingClientRect(), frame = scroller.getBoundingClientRect();
    scroller.scrollTop += box.top - frame.top - (frame.height - Math.min(box.height, frame.height)) * part;
  }

  /** Shows the line with this number in the middle of the screen. */
  async function showAt(seq, mark) {
    sticking = false;
    if (!model.lines(id).some((line) => line.seq === seq)) await model.around(id, seq);
    const lines = model.lines(id);
    const at = lines.findIndex((line) => line.seq >= seq);
    if (at < 0) return;
    first = orderOf(lines[Math.max(0, at - STEP)]);
    last = at + STEP < lines.length ? orderOf(lines[at + STEP]) : Infinity;
    draw();
    const element = list.querySelector(`[data-seq="${lines[at].seq}"]`);
    if (element) scrollTo(element, 0.4);
    if (!element || !mark) return;
    element.classList.add("found");
    element.tabIndex = -1;
    element.focus({preventScroll: true});
  }

  function resized() {
    if (sticking) scroller.scrollTop = scroller.scrollHeight;
  }
  const observer = new ResizeObserver(resized);
  observer.observe(scroller);
  observer.observe(list);

  const offs = [
    model.on(`lines:${id}`, draw),
    model.on("conversations", showJump),
    // After a restored backup, or when only what was kept here is shown: the tail anew.
    model.on("ready", () => {
      if (!model.atNewest(id) && (sticking || model.lines(id).length === 0)) told(model.newest(id));
      seen();
    }),
    model.on("incoming", (line) => {
      if (line.conversation !== id) return;
      announcer.append(h("p", {}, `${names.theirs()}: ${excerpt(line.text, 400)}`));
      while (announcer.childElementCount > 8) announcer.firstChild.remove();
      if (marker === null && (document.hidden || !document.hasFocus() || !sticking)) marker = line.seq - 1;
    }),
  ];
  const away = () => {
    // What was read before going away needs no mark on coming back.
    if (document.hidden && (model.conversation(id)?.unread ?? 0) === 0) marker = null;
    seen();
  };
  document.addEventListener("visibilitychange", away);
  addEventListener("focus", seen);

  return {
    node, toNewest, showAt, draw,
    focus: () => scroller.focus({preventScroll: true}),
    async start(at) {
      if (model.lines(id).length === 0) replace(list, h("li.loading", {}, icon("refresh", t("chat.loading"))));
      const {unread, read} = conversation;
      try {
        if (at) await showAt(at, true);
        else if (unread > STEP / 2) await showAt(read + 1, false);
        else await model.newest(id);
      } catch {
        // Away from the gateway: what is kept here.
        sticking = true;
        await model.newest(id);
      }
      draw();
      if (!at && unread > 0 && unreadMark.isConnected) {
        scrollTo(unreadMark, 0.1);
        const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
        sticking = below < BOTTOM_PX && model.atNewest(id) && last === Infinity;
      }
      placed = true;
      showJump();
      seen();
    },
    stop() {
      gone = true;
      offs.forEach((off) => off());
      observer.disconnect();
      document.removeEventListener("visibilitychange", away);
      removeEventListener("focus", seen);
    },
  };
}
