// SPDX-License-Identifier: ISC
// Signing in; on a gateway without an account, making the first one.
import {busy, causeOf, h, icon, iconButton, replace, uniqueId} from "../dom.js";
import {keep} from "../keep.js";
import {link} from "../link.js";
import {t} from "../words.js";

const PASSWORD_LEAST = 8;

function field(label, props, hint, extra) {
  const id = uniqueId("signin");
  const input = h(`input#${id}`, {...props, "aria-describedby": hint ? `${id}-hint` : null});
  return {input, node: h("div.field", {}, h("label", {for: id}, label),
    extra ? h("div.with-button", {}, input, extra(input)) : input, hint ? h(`p.hint#${id}-hint`, {}, hint) : null)};
}

function passwordField(autocomplete, hint) {
  return field(t("signin.password"), {type: "password", autocomplete, required: true, name: "password"}, hint,
    (input) => iconButton("eye", t("signin.show"), ({currentTarget: button}) => {
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      button.setAttribute("aria-pressed", String(!shown));
    }, {"aria-pressed": "false"}));
}

const setupCode = () => new URLSearchParams(location.hash.slice(1)).get("setup") ?? "";

export function open(root, session, app) {
  const setup = Boolean(session?.setup);
  const code = setup ? field(t("signin.code"), {autocomplete: "off", spellcheck: "false", required: true, class: "mono",
    value: setupCode()}, t("signin.code_hint")) : null;
  if (setupCode()) history.replaceState(null, "", location.pathname); // not into the history of the browser
  const account = field(t("signin.account"), {autocomplete: "username", autocapitalize: "none", spellcheck: "false",
    required: true, name: "username"}, setup ? t("signin.name_hint") : null);
  const person = setup ? field(t("signin.person"), {autocomplete: "name"}, t("signin.person_hint")) : null;
  const password = passwordField(setup ? "new-password" : "current-password", setup ? t("signin.password_hint") : null);
  const ownId = uniqueId("own");
  const own = h(`input#${ownId}`, {type: "checkbox", "aria-describedby": `${ownId}-hint`});
  const trouble = h("p.trouble", {role: "alert", hidden: true});
  const button = h("button.button.primary", {type: "submit"}, t(setup ? "signin.create" : "signin.enter"));

  const fail = (text, input) => {
    trouble.hidden = false;
    replace(trouble, h("span", {}, text));
    input?.setAttribute("aria-invalid", "true");
    input?.focus();
    trouble.scrollIntoView({block: "nearest"});
  };

  async function enter(event) {
    event.preventDefault();
    trouble.hidden = true;
    for (const {input} of [account, password]) input.removeAttribute("aria-invalid");
    const name = account.input.value.trim();
    if (setup && [...password.input.value].length < PASSWORD_LEAST) return fail(t("signin.password_short"), password.input);
    try {
      if (setup) {
        location.hash = "#/guide";
        await busy(button, link.setUp({code: code.input.value.trim(), name, password: password.input.value,
          keep: own.checked,
          ...(person.input.value.trim() ? {person: person.input.value.trim()} : {})}));
      } else await busy(button, link.signIn(name, password.input.value, own.checked));
      keep.setOwn(own.checked);
    } catch (failure) {
      if (setup) location.hash = "";
      const wrong = !setup && failure.code === "denied";
      fail(wrong ? t("signin.wrong") : causeOf(failure), wrong ? password.input : null);
    }
  }

  replace(root, h("main.signin", {},
    h("img.signin-sign", {src: "icon.svg", alt: "", width: 56, height: 56}),
    h("h1", {}, setup ? t("signin.setup_title") : "retrogate"),
    h("p.soft", {}, t(setup ? "signin.setup_text" : "signin.tagline")),
    session?.vault === "locked" ? h("p.trouble", {role: "status"}, icon("lock"), t("signin.locked")) : null,
    h("form.card", {onsubmit: enter, novalidate: true}, code?.node, account.node, person?.node, password.node,
      h("div.check", {}, own, h("div", {}, h("label", {for: ownId}, t("signin.own")),
        h(`p.hint#${ownId}-hint`, {}, t("signin.own_hint")))),
      trouble, button)));
  (code && !code.input.value ? code : account).input.focus();
}
