// SPDX-License-Identifier: ISC
// Writing a post: to whom, about what, the text, and files; as an answer or anew.
import {busy, causeOf, h, icon, iconButton, replace, toast} from "../dom.js";
import {keep} from "../keep.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {answerTo, listOf, nameIn, quote} from "../posts.js";
import {bytes, isolate, moment, number, t} from "../words.js";
import {button, choice, field, hint, notice, toggle} from "./parts.js";
import {backHeader} from "./posts.js";

const BYTES_MOST = 262_144;            // of a text (api.md)
const MESSAGE_MOST = 25 * 1024 * 1024; // of a whole message: what every gateway takes
const GROWTH = 4 / 3 * 78 / 76;        // base64, in lines
const FILES_MOST = 64;
const DRAFT_AFTER_MS = 400;

const random = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** The files of a post, each on its way to the gateway from the moment it was chosen. */
function fileList(changed) {
  const files = new Set();
  const list = h("ul.list.post-parts", {role: "list", "aria-label": t("posts.attached")});
  const size = () => [...files].reduce((sum, {file}) => sum + file.size, 0);

  function add(file) {
    if ((size() + file.size) * GROWTH > MESSAGE_MOST || files.size >= FILES_MOST) {
      toast(t("posts.too_large", {most: bytes(Math.floor(MESSAGE_MOST / GROWTH))}), "bad");
      return;
    }
    const bar = h("progress", {max: 1, value: 0, "aria-label": t("posts.uploading", {name: file.name})});
    const state = h("span.hint", {role: "status"});
    const entry = {file, upload: null, stop: () => {}, ready: null};
    const again = button(t("app.again"), () => bring(), {kind: "quiet", hidden: true});
    function bring() {
      again.hidden = true;
      bar.hidden = false;
      bar.value = 0;
      state.textContent = bytes(file.size);
      const {done, stop} = link.upload(file, (part) => (bar.value = part));
      entry.stop = stop;
      entry.ready = done.then((upload) => {
        entry.upload = upload;
        state.textContent = `${bytes(file.size)} · ${t("posts.uploaded")}`;
      }, (failure) => {
        if (failure.code === "stopped") return;
        replace(state, causeOf(failure));
        again.hidden = false;
      }).finally(() => {
        bar.hidden = true;
        changed();
      });
      return entry.ready;
    }
    entry.bring = bring;
    const row = h("li.item", {}, icon("paperclip"), h("div.grow.stack-tight", {}, h("bdi", {}, file.name), bar, state), again,
      iconButton("close", t("posts.detach", {name: file.name}), () => {
        files.delete(entry);
        row.remove();
        entry.stop();
        if (entry.upload) link.ask("upload.drop", {upload: entry.upload}).catch(() => {});
        changed();
      }));
    files.add(entry);
    list.append(row);
    bring();
    changed();
  }

  return {list, add, any: () => files.size > 0,
    /** Waits for all of them; `anew`: they were forgotten by the gateway. */
    async ready(anew) {
      for (const entry of files) {
        if (anew || (!entry.upload && entry.ready === null)) await entry.bring();
        else await entry.ready;
        if (!entry.upload) throw new Error(t("posts.not_uploaded", {name: entry.file.name}));
      }
      return [...files].map(({file, upload}) => ({upload, name: file.name || "file", ...(file.type ? {type: file.type} : {})}));
    },
    stop: () => files.forEach(({stop}) => stop()),
  };
}

export function openWrite(root, {answers, all, to, subject}, app) {
  const title = t(answers ? "posts.reply" : "posts.write");
  app.title(title);
  app.setHeader(backHeader(title, answers ? `#/posts/${answers}` : "#/posts"));
  const label = random(), draftId = `post:${answers || "new"}`;
  const toInput = h("input", {autocomplete: "off", autocapitalize: "off", spellcheck: "false", value: to, dir: "ltr"});
  const ccInput = h("input", {autocomplete: "off", autocapitalize: "off", spellcheck: "false", dir: "ltr"});
  const subjectInput = h("input", {autocomplete: "off", value: subject, dir: "auto", maxlength: 500});
  const area = h("textarea.post-area", {rows: 12, dir: "auto"});
  const trouble = h("div", {role: "alert"});
  const contacts = [...model.contacts.values()].sort((a, b) => (a.name || a.handle).localeCompare(b.name || b.handle));
  const pick = choice([["", t("posts.pick")], ...contacts.map(({handle, name}) => [handle, name ? `${name} (${handle})` : handle])], "",
    (handle, select) => {
      if (handle && !listOf(toInput.value).includes(handle)) toInput.value = [...listOf(toInput.value), handle].join(", ");
      select.value = "";
      saveSoon();
    });
  pick.setAttribute("aria-label", t("posts.pick"));
  let sign = true, notify = false, draftTimer, sent = false;
  const files = fileList(() => {});
  const chooser = h("input.hidden", {type: "file", multiple: true, tabindex: -1, "aria-hidden": "true", onchange: () => {
    [...chooser.files].forEach(files.add);
    chooser.value = "";
  }});
  const send = h("button.button.primary", {type: "submit"}, icon("send"), h("span", {}, t("posts.send")));
  const form = h("form.card.stack.post-form", {onsubmit: submit},
    h("div.row.end.fields", {}, h("div.grow", {}, field(t("posts.to"), toInput, t("posts.to_help"))),
      contacts.length ? h("div.post-pick", {}, pick) : null),
    field(t("posts.cc"), ccInput), field(t("posts.subject"), subjectInput), field(t("posts.text"), area),
    files.list, h("div.row", {}, chooser, button(t("posts.attach"), () => chooser.click(), {sign: "paperclip"}),
      hint(t("posts.attach_help", {most: bytes(Math.floor(MESSAGE_MOST / GROWTH))}))),
    h("details", {}, h("summary", {}, t("app.more")), h("div.stack", {},
      toggle(t("posts.sign"), true, (on) => (sign = on), t("posts.sign_help")),
      toggle(t("posts.notify"), false, (on) => (notify = on), t("posts.notify_help")))),
    trouble, h("div.row", {}, send, button(t("posts.discard"), discard, {kind: "quiet danger", sign: "trash"})));

  const save = () => {
    clearTimeout(draftTimer);
    if (sent || link.state === "signed-out") return;
    const text = JSON.stringify({to: toInput.value, cc: ccInput.value, subject: subjectInput.value, text: area.value});
    keep.setDraft(draftId, area.value.trim() || subjectInput.value.trim() ? text : "");
  };
  function saveSoon() {
    clearTimeout(draftTimer);
    draftTimer = setTimeout(save, DRAFT_AFTER_MS);
  }
  function leave(path) {
    sent = true;
    keep.setDraft(draftId, "");
    app.go(path);
  }
  function discard() {
    leave(answers ? `/posts/${answers}` : "/posts");
  }

  async function sendNow() {
    const [recipients, copies] = [listOf(toInput.value), listOf(ccInput.value)];
    if (recipients.length === 0) {
      toInput.focus();
      throw new Error(t("posts.nobody"));
    }
    const size = new TextEncoder().encode(area.value).length;
    if (size > BYTES_MOST) throw new Error(t("chat.too_long", {size: number(size), most: number(BYTES_MOST)}));
    const post = async (anew) => link.ask("post.send", {to: recipients, ...(copies.length ? {cc: copies} : {}),
      subject: subjectInput.value.trim(), text: area.value, ...(answers ? {reply_to: answers} : {}),
      ...(files.any() ? {attachments: await files.ready(anew)} : {}), ...(sign ? {} : {sign}),
      ...(notify ? {notify: ["success", "failure", "delay"]} : {}), label, once: true});
    return post(false).catch((failure) => {
      // What was uploaded is kept for an hour; a person may write longer than that.
      if (failure.code === "not-found" && files.any()) return post(true);
      throw failure;
    });
  }

  async function submit(event) {
    event.preventDefault();
    if (send.disabled) return;
    replace(trouble);
    try {
      const {seq} = await busy(send, sendNow());
      toast(t("posts.taken"));
      leave(`/posts/${seq}`);
    } catch (failure) {
      replace(trouble, notice("bad", h("p", {}, causeOf(failure))));
    }
  }

  async function begin() {
    const draft = await keep.draft(draftId);
    if (draft && !to) {
      const kept = JSON.parse(draft);
      for (const [input, name] of [[toInput, "to"], [ccInput, "cc"], [subjectInput, "subject"], [area, "text"]]) input.value ||= kept[name];
    } else if (answers) {
      const post = await link.ask("post.show", {seq: answers});
      const start = answerTo(post, all, model.account);
      toInput.value ||= start.to.join(", ");
      ccInput.value ||= start.cc.join(", ");
      subjectInput.value ||= start.subject;
      const who = post.from[0] ? nameIn(post.from[0]) : "?";
      area.value ||= quote(post.text, t("posts.wrote", {name: isolate(who), when: moment(post.time)}));
      area.setSelectionRange(0, 0);
    }
    if (toInput.value) area.focus({preventScroll: true});
    else toInput.focus();
    area.setSelectionRange(0, 0);
  }

  form.addEventListener("input", saveSoon);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    else if (event.key === "Enter" && event.target.tagName === "INPUT") event.preventDefault(); // a post is not sent by the way
  });
  form.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
  form.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    [...event.dataTransfer.files].forEach(files.add);
  });
  area.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length === 0) return;
    event.preventDefault();
    pasted.forEach(files.add);
  });
  addEventListener("pagehide", save);
  root.append(h("div.page.posts-page", {}, form));
  begin().catch((failure) => replace(trouble, notice("bad", h("p", {}, causeOf(failure)))));
  return () => {
    save();
    files.stop();
    removeEventListener("pagehide", save);
  };
}
