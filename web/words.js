// SPDX-License-Identifier: ISC
// What the page says, in the person's language: one flat file each in lang/, and one of
// what the gateway says.
import {setting, setSetting} from "./keep.js";

export const languages = {en: "English", de: "Deutsch", fr: "Français"};
const RTL = new Set(["ar", "fa", "he", "ur", "yi", "dv", "ps"]);

export let language = "en";
let words = {}, sentences = {};
let plurals, formats;

function wished() {
  const codes = [setting("language"), ...navigator.languages].filter(Boolean).map((code) => code.slice(0, 2));
  return codes.find((code) => code in languages) ?? "en";
}

async function file(name) {
  const answer = await fetch(`/lang/${name}.json`);
  if (!answer.ok) throw new Error(`lang/${name}.json: ${answer.status}`);
  return answer.json();
}

async function load(code) {
  [words, sentences] = await Promise.all([file(code), code === "en" ? {} : file("said")]);
  patterns = undefined;
  language = code;
  // Numbers and dates as this person's region writes them, where it is one of that language.
  const region = navigator.languages.find((wish) => wish.startsWith(code)) ?? code;
  plurals = new Intl.PluralRules(code);
  const date = (options) => new Intl.DateTimeFormat(region, options);
  formats = {
    time: date({timeStyle: "short"}), weekday: date({weekday: "long"}),
    short: date({day: "numeric", month: "short"}), full: date({dateStyle: "full"}),
    long: date({dateStyle: "medium", timeStyle: "short"}), number: new Intl.NumberFormat(region),
    byte: new Intl.NumberFormat(region, {maximumFractionDigits: 1}),
    ago: new Intl.RelativeTimeFormat(region, {numeric: "auto"}),
  };
  document.documentElement.lang = code;
  document.documentElement.dir = RTL.has(code) ? "rtl" : "ltr";
}

export const loadWords = () => load(wished());

/** Kept on this device; the page must be drawn anew. "" follows the browser. */
export async function setLanguage(code) {
  setSetting("language", code || null);
  await load(wished());
}

/** The sentence of a key; with n, the form of that number: "key.one", "key.other". */
export function t(key, vars) {
  const form = vars && "n" in vars ? words[`${key}.${plurals.select(vars.n)}`] ?? words[`${key}.other`] : undefined;
  const text = form ?? words[key] ?? key;
  if (!vars) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    if (!(name in vars)) return whole;
    return name === "n" ? number(vars.n) : String(vars[name]);
  });
}

// Sentences of the gateway come in English; said.json knows them in the other languages, with {1}, {2} where they carry a
// number or a name.
let patterns;
const patternsOf = (known) => Object.keys(known).filter((text) => text.includes("{1}")).map((text) => ({
  text, form: new RegExp(`^${text.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\d\}/g, "(.{1,200}?)")}$`),
}));

/** A sentence of the gateway in this language; undefined when it does not know it. */
export function said(text) {
  if (Object.hasOwn(sentences, text)) return sentences[text][language];
  patterns ??= patternsOf(sentences);
  for (const {text: known, form} of patterns) {
    const parts = form.exec(text);
    if (parts) return sentences[known][language].replace(/\{(\d)\}/g, (_, n) => said(parts[n]) ?? parts[n]);
  }
  return undefined;
}

/** A foreign name inside a sentence, so that its direction does not turn the sentence around. */
export const isolate = (name) => `\u2068${name}\u2069`;

const sameDay = (a, b) => a.toDateString() === b.toDateString();
const daysAgo = (n) => new Date(Date.now() - n * 86400e3);

export const time = (ms) => formats.time.format(ms);
export const moment = (ms) => formats.long.format(ms);

/** Today, yesterday, or the date. */
export function day(ms) {
  if (sameDay(new Date(ms), new Date())) return formats.ago.format(0, "day");
  if (sameDay(new Date(ms), daysAgo(1))) return formats.ago.format(-1, "day");
  return formats.full.format(ms);
}

/** As short as a list needs it: the time today, a weekday this week, else the date. */
export function brief(ms) {
  if (sameDay(new Date(ms), new Date())) return time(ms);
  return ms > daysAgo(6).getTime() ? formats.weekday.format(ms) : formats.short.format(ms);
}

const STEPS = [[60, "second"], [60, "minute"], [24, "hour"], [30, "day"], [12, "month"], [Infinity, "year"]];
export function ago(ms) {
  let left = (ms - Date.now()) / 1000;
  for (const [size, unit] of STEPS) {
    if (Math.abs(left) < size) return formats.ago.format(Math.round(left), unit);
    left /= size;
  }
  return "";
}

export const number = (n) => formats.number.format(n);

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
export function bytes(n) {
  let unit = 0;
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${formats.byte.format(n)} ${UNITS[unit]}`;
}
