// SPDX-License-Identifier: ISC
// Elements, icons and small dialogs. Text comes in as text only: nothing here reads markup.
import {language, said, t} from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "selected", "indeterminate"]);

/** h("button.primary#go", {onclick: fn, disabled: true}, "Go"): an element with its children. */
export function h(tag, props = {}, ...children) {
  const [name, ...marks] = tag.split(/(?=[.#])/);
  const element = document.createElement(name);
  for (const mark of marks) {
    if (mark[0] === ".") element.classList.add(mark.slice(1));
    else element.id = mark.slice(1);
  }
  for (const [key, value] of Object.entries(props ?? {})) set(element, key, value);
  element.append(...nodes(children));
  return element;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
  } else if (key === "class") element.classList.add(...value.split(" ").filter(Boolean));
  else if (key === "dataset") Object.assign(element.dataset, value);
  else if (key === "style") for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
  else if (PROPERTIES.has(key)) element[key] = value;
  else element.setAttribute(key, value === true ? "" : String(value));
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

export function replace(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

/** An element of SVG; props are attributes. */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** What the gateway says, as a child: in the person's language, or marked as the English that it is. */
export const sentence = (text) => (!text || language === "en" ? text : said(text) ?? h("span", {lang: "en", dir: "ltr"}, text));

/** The cause of a failure, as a child. */
export const causeOf = (failure) => (failure.said ? sentence(failure.text) : failure.text ?? failure.message);

/** Parts of one line, those that are there, with dots between them. */
export const dotted = (...parts) => parts.filter(Boolean).flatMap((part, index) => (index ? [" · ", part] : [part]));

// Strokes on a field of 24 × 24.
const ICONS = {
  alert: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.2",
  back: "M15 5l-7 7 7 7",
  bell: "M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4",
  camera: "M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 10a3.4 3.4 0 1 0 .01 0",
  chats: "M4 5h16v11H10l-4.5 4v-4H4zM8 9h8M8 12h5",
  check: "M4.5 12.5l5 5 10-11",
  checks: "M2 12.5l4.5 5 9-11M11.5 16.5l1 1 9-11",
  clock: "M12 3.5a8.5 8.5 0 1 0 .01 0M12 7.5V12l3 2",
  close: "M6 6l12 12M18 6L6 18",
  contacts: "M9 4.5a3.5 3.5 0 1 0 .01 0M2.5 20c0-4 2.7-6.5 6.5-6.5s6.5 2.5 6.5 6.5M15.5 5a3.4 3.4 0 0 1 0 6.5M17 14c2.8.5 4.5 2.7 4.5 6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  down: "M5 9l7 7 7-7",
  download: "M12 4v11M7 10.5l5 5 5-5M4 20h16",
  edit: "M4 20l1-4.5L16 4.5l3.5 3.5-11 11zM13.5 7l3.5 3.5",
  eye: "M2.5 12s3.5-6 9.5-6 9.5 6 9.5 6-3.5 6-9.5 6-9.5-6-9.5-6zM12 9.5a2.5 2.5 0 1 0 .01 0",
  "eye-off": "M4 4l16 16M9.5 6.3A9 9 0 0 1 12 6c6 0 9.5 6 9.5 6a16 16 0 0 1-2.7 3.3M6 8a16 16 0 0 0-3.5 4s3.5 6 9.5 6a9 9 0 0 0 3.5-.7",
  friends: "M5 15a2.5 2.5 0 1 0 .01 0M19 15a2.5 2.5 0 1 0 .01 0M12 4a2.5 2.5 0 1 0 .01 0M10.5 8.7L6.5 15M13.5 8.7l4 6.3M7.5 17.5h9",
  guide: "M12 3.5a8.5 8.5 0 1 0 .01 0M15.5 8.5l-2 5-5 2 2-5z",
  image: "M4 5h16v14H4zM4 16l4.5-5 4 4.5 2.5-2.5 5 4.5M15 8.5a1 1 0 1 0 .01 0",
  info: "M12 3.5a8.5 8.5 0 1 0 .01 0M12 11v5.5M12 7.5v.2",
  invites: "M3.5 6h17v12.5h-17zM3.5 7l8.5 6.5L20.5 7",
  key: "M8 11.5a4 4 0 1 0 .01 0M11 13l8-8M16 8l2.5 2.5",
  link: "M10 14a4 4 0 0 0 5.7 0l3.5-3.5a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.5 3.5a4 4 0 0 0 5.7 5.7l1.5-1.5",
  lock: "M5.5 11h13v9.5h-13zM8 11V8a4 4 0 0 1 8 0v3",
  "lock-open": "M5.5 11h13v9.5h-13zM8 11V8a4 4 0 0 1 7.7-1.5",
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M12 5.5v.1M12 12v.1M12 18.5v.1",
  network: "M12 10a2 2 0 1 0 .01 0M4.5 4a1.5 1.5 0 1 0 .01 0M19.5 4a1.5 1.5 0 1 0 .01 0M4.5 17a1.5 1.5 0 1 0 .01 0M19.5 17a1.5 1.5 0 1 0 .01 0M6 6l4.5 4.5M18 6l-4.5 4.5M6 17.5l4.5-4M18 17.5l-4.5-4",
  offline: "M4 4l16 16M8.5 8A12 12 0 0 0 3 10.5M15 8.3a12 12 0 0 1 6 2.7M7 14.5a7 7 0 0 1 3.5-1.8M14.5 13.5a7 7 0 0 1 2.5 1.2M12 18.5v.1",
  paperclip: "M19.5 11.5L12 19a4.6 4.6 0 0 1-6.5-6.5l8-8a3.1 3.1 0 0 1 4.4 4.4l-7.9 7.9a1.6 1.6 0 0 1-2.3-2.3L15 7.3",
  plus: "M12 5v14M5 12h14",
  posts: "M4 13.5L6.5 5h11l2.5 8.5V19H4zM4 13.5h5l1 2.5h4l1-2.5h5",
  qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2.5v2.5H14zM20 14v6h-6M17.5 17.5v.1",
  refresh: "M19.5 12a7.5 7.5 0 1 1-2-5.1L20 9.5M20 4v5.5h-5.5",
  reply: "M9.5 6L4 11.5 9.5 17M4 11.5h9.5c4 0 6.5 2.5 6.5 6.5",
  search: "M10.5 4a6.5 6.5 0 1 0 .01 0M15.5 15.5L20.5 20.5",
  send: "M4 12L3.5 4.5 21 12 3.5 19.5 4 12zM4 12h8",
  settings: "M4 7h9M17 7h3M15 4.8a2.2 2.2 0 1 0 .01 0M4 17h3M11 17h9M9 14.8a2.2 2.2 0 1 0 .01 0",
  share: "M12 14.5V3.5M8 7l4-4 4 4M6 11H4.5v9.5h15V11H18",
  shield: "M12 3l7.5 3v5.5c0 4.5-3 7.8-7.5 9.5-4.5-1.7-7.5-5-7.5-9.5V6zM8.3 12l2.7 2.7 4.8-5.4",
  signout: "M14 4h6v16h-6M11 8l-4 4 4 4M7 12h9",
  star: "M12 4l2.5 5.2 5.7.8-4.1 4 1 5.7L12 17l-5.1 2.7 1-5.7-4.1-4 5.7-.8z",
  tick: "M6 12.5l4 4 8-9",
  trash: "M4.5 7h15M9 7V4.5h6V7M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
  unsure: "M12 3.5a8.5 8.5 0 1 0 .01 0M8 12.5l3 3 5-6",
  up: "M5 15l7-7 7 7",
  user: "M12 4.5a4 4 0 1 0 .01 0M4.5 20.5c0-4.5 3-7 7.5-7s7.5 2.5 7.5 7",
};

/** Hidden from screen readers unless it has a label of its own. */
export function icon(name, label) {
  const drawn = svg("svg", {viewBox: "0 0 24 24", class: `icon icon-${name}`},
    svg("path", {d: ICONS[name] ?? ICONS.info}));
  if (label) {
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", label);
  } else drawn.setAttribute("aria-hidden", "true");
  return drawn;
}

/** A button that shows only an icon; its label is read and shown as a tip. */
export function iconButton(name, label, onclick, props = {}) {
  return h("button.icon-button", {type: "button", "aria-label": label, title: label, onclick, ...props}, icon(name));
}

let counter = 0;
export const uniqueId = (prefix) => `${prefix}-${++counter}`;

/**
 * Shows a modal dialog and gives the value of the action taken, undefined when it was dismissed.
 * actions: [{text, value, kind?: "primary" | "danger", run?: async () => value}]; an action whose run()
 * throws leaves the dialog open and shows the cause.
 */
export function dialog({title, body, actions = [{text: t("app.close")}], wide = false}) {
  return new Promise((resolve) => {
    const heading = uniqueId("dialog");
    const trouble = h("p.trouble", {role: "alert", hidden: true});
    let result;
    const buttons = actions.map((action) => h("button.button", {
      type: "button", class: action.kind, onclick: async () => {
        if (action.run) {
          try {
            trouble.hidden = true;
            result = await busy(buttons[actions.indexOf(action)], action.run());
          } catch (failure) {
            trouble.hidden = false;
            replace(trouble, causeOf(failure));
            return;
          }
        } else result = action.value;
        box.close();
      },
    }, action.text));
    const box = h("dialog", {"aria-labelledby": heading, class: wide ? "wide" : ""},
      h("header", {}, h(`h2#${heading}`, {}, title), iconButton("close", t("app.close"), () => box.close())),
      h("div.dialog-body", {}, body, trouble),
      h("footer", {}, buttons));
    box.addEventListener("click", (event) => event.target === box && box.close());
    box.addEventListener("close", () => {
      box.remove();
      resolve(result);
    });
    // Enter in a field takes the main action, as in a form.
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
      event.preventDefault();
      buttons[actions.findIndex((action) => action.kind)]?.click();
    });
    const content = box.querySelector(".dialog-body");
    if (!content.querySelector("a, button, input, select, summary, textarea")) content.tabIndex = 0; // to be scrolled by keys
    document.body.append(box);
    box.showModal();
    const safe = buttons.findLast((_, index) => actions[index].kind !== "danger") ?? buttons.at(-1);
    (box.querySelector(".dialog-body :is(input, textarea)") ?? safe)?.focus();
  });
}

export async function confirmBox(text, yes, kind = "danger") {
  return (await dialog({
    title: t("app.sure"), body: h("p", {}, text),
    actions: [{text: t("app.cancel"), value: false}, {text: yes, value: true, kind}],
  })) === true;
}

let toasts;
/** A short notice at the edge, text or an element; kind "bad" interrupts a screen reader. */
export function toast(text, kind = "") {
  if (!toasts) {
    toasts = {good: h("div.toasts", {role: "status"}), bad: h("div.toasts", {role: "alert"})};
    document.body.append(toasts.good, toasts.bad);
  }
  const note = h("p.toast", {class: kind}, icon(kind === "bad" ? "alert" : "check"), h("span", {}, text));
  toasts[kind === "bad" ? "bad" : "good"].append(note);
  setTimeout(() => note.remove(), 4000 + note.textContent.length * 50);
}

/** Failures of a promise as a notice; gives undefined then. */
export async function told(promise) {
  try {
    return await promise;
  } catch (failure) {
    toast(causeOf(failure), "bad");
    return undefined;
  }
}

/** The button is disabled until the promise settles. */
export async function busy(button, promise) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    return await promise;
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS off this machine there is no clipboard for pages but this one.
    const area = h("textarea.hidden", {readonly: true, value: text});
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error(t("app.copy_failed"));
  }
}

/** text: a string, or a function that gives one. */
export function copyButton(text, label = t("app.copy")) {
  const caption = h("span", {}, label);
  const button = h("button.button", {type: "button", onclick: async () => {
    await told(copy(typeof text === "function" ? text() : text).then(() => {
      caption.textContent = t("app.copied");
      button.classList.add("good");
      setTimeout(() => {
        caption.textContent = label;
        button.classList.remove("good");
      }, 2000);
      toast(t("app.copied"));
    }));
  }}, icon("copy"), caption);
  return button;
}

/** The picture of a person, or the first letters with a colour of the fingerprint. */
export function avatarOf(name, fingerprint, blob) {
  const hue = parseInt((fingerprint ?? "").slice(0, 4) || "0", 16) % 360;
  const letters = [...(name || "?").trim()];
  const words = (name || "?").trim().split(/\s+/);
  const initials = words.length > 1 ? [...words[0]][0] + [...words.at(-1)][0] : letters.slice(0, 2).join("");
  const element = h("span.avatar", {"aria-hidden": "true", style: {"--hue": hue}}, h("bdi", {}, initials));
  if (blob !== null && blob !== undefined) {
    const picture = h("img", {src: `/api/1/blob/${encodeURIComponent(blob)}`, alt: "", loading: "lazy"});
    picture.addEventListener("error", () => picture.remove());
    element.append(picture);
  }
  return element;
}
