// SPDX-License-Identifier: ISC
// Sentences of the gateway in the person's language.
import assert from "node:assert/strict";
import {readFile} from "node:fs/promises";
import {before, test} from "node:test";

Object.defineProperty(globalThis, "navigator", {value: {languages: ["de-AT", "en"]}, configurable: true});
const kept = new Map();
globalThis.localStorage = {getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value)};
globalThis.document = {documentElement: {}};
globalThis.fetch = async (path) => {
  const text = await readFile(new URL(`../../web${path}`, import.meta.url), "utf8");
  return {ok: true, json: async () => JSON.parse(text)};
};
const {bytes, loadWords, said, setLanguage, t} = await import("../../web/words.js");

before(loadWords);

test("the browser's language is taken", () => {
  assert.equal(document.documentElement.lang, "de");
  assert.equal(t("app.cancel"), "Abbrechen");
});

test("a sentence is found as it is", () => assert.equal(said("the tunnel was lost"), "der Tunnel ist weg"));

test("numbers and names are carried over", () => {
  assert.equal(said("a password has 8 to 1024 bytes"), "ein Passwort hat 8 bis 1024 Bytes");
  assert.equal(said("this invite was opened already: the conversation is anna"),
    "diese Einladung wurde schon geöffnet: das Gespräch ist anna");
});

test("a sentence inside another is found too", () => {
  assert.match(said("the node is not ready: making the node's key (some seconds); try again soon"), /Schlüssel des Knotens/);
});

test("what is not known stays unknown", () => {
  for (const text of ["", "something new", "a password has bytes", "{1}", "a line holds at most 5 bytes or so", undefined]) {
    assert.equal(said(text), undefined);
  }
});

test("another language replaces the first, its patterns too", async () => {
  await setLanguage("fr");
  assert.equal(said("a password has 8 to 9 bytes"), "un mot de passe a de 8 à 9 octets");
  await setLanguage("en");
  assert.equal(said("the tunnel was lost"), undefined);
});

test("the form of a number, and sizes", () => {
  assert.equal(t("chat.found", {n: 1}), "1 line found");
  assert.equal(t("chat.found", {n: 2}), "2 lines found");
  assert.equal(bytes(1536), "1.5 KiB");
});
