// SPDX-License-Identifier: ISC
// Where a line is written: grows with it, keeps its draft, tells that somebody writes.
import {dialog, h, icon, toast} from "../dom.js";
import {keep} from "../keep.js";
import {link} from "../link.js";
import {model} from "../model.js";
import {number, t} from "../words.js";

const BYTES_MOST = 65_536; // of one line (api.md)
const TYPING_EVERY_MS = 4_000;
const DRAFT_AFTER_MS = 300;
const INVITE = /retroshare:\/\/\S+|-----BEGIN PGP PUBLIC KEY/i;

export function makeComposer(conversation, app, said) {
  const {id} = conversation;
  const coarse = matchMedia("(pointer: coarse)");
  let typedAt = 0, draftTimer;

  const area = h("textarea", {rows: 1, dir: "auto", placeholder: t("chat.write"), "aria-label": t("chat.write"),
    enterkeyhint: coarse.matches ? "enter" : "send", autocomplete: "off"});
  const button = h("button.button.primary.send", {type: "submit", "aria-label": t("chat.send"), title: t("chat.send"),
    disabled: true}, icon("send"));
  const form = h("form.composer", {onsubmit: send}, area, button);

  function grow() {
    area.style.blockSize = "auto";
    area.style.blockSize = `${area.scrollHeight + 2}px`;
    button.disabled = area.value.trim() === "";
  }

  function saveDraft() {
    clearTimeout(draftTimer);
    if (link.state !== "signed-out") keep.setDraft(id, area.value); // then everything is being wiped
  }

  function tellTyping() {
    const now = Date.now();
    const {state} = model.conversation(id) ?? {};
    if (!model.account?.typing || state !== "can talk" || area.value.trim() === "" || now - typedAt < TYPING_EVERY_MS) return;
    typedAt = now;
    link.ask("typing", {conversation: id}).catch(() => {});
  }

  function send(event) {
    event.preventDefault();
    const text = area.value.replace(/\s+$/u, "");
    if (text.trim() === "") return;
    const size = new TextEncoder().encode(text).length;
    if (size > BYTES_MOST) {
      toast(t("chat.too_long", {size: number(size), most: number(BYTES_MOST)}), "bad");
      return;
    }
    area.value = "";
    typedAt = 0;
    grow();
    saveDraft();
    model.say(id, text);
    said();
    area.focus();
  }

  function insert(text) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
    area.focus();
  }

  area.addEventListener("input", () => {
    grow();
    tellTyping();
    clearTimeout(draftTimer);
    draftTimer = setTimeout(saveDraft, DRAFT_AFTER_MS);
  });
  area.addEventListener("keydown", (event) => {
    // While a word is being composed (Japanese, …) Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || coarse.matches) return;
    event.preventDefault();
    form.requestSubmit();
  });
  area.addEventListener("paste", async (event) => {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!INVITE.test(text)) return;
    event.preventDefault();
    const choice = await dialog({
      title: t("chat.pasted_title"), body: h("p", {}, t("chat.pasted")),
      actions: [{text: t("chat.pasted_send"), value: "send"}, {text: t("chat.pasted_open"), value: "open", kind: "primary"}],
    });
    if (choice === "open") app.go(`/invites?text=${encodeURIComponent(text)}`);
    else if (choice === "send") insert(text);
  });
  addEventListener("pagehide", saveDraft);

  keep.draft(id).then((text) => {
    if (!text || area.value) return;
    area.value = text;
    grow();
  });

  return {
    node: form,
    focus: () => area.focus({preventScroll: true}),
    grow,
    stop() {
      saveDraft();
      removeEventListener("pagehide", saveDraft);
    },
  };
}
