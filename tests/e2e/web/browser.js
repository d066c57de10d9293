// SPDX-License-Identifier: ISC
// Chromium for the tests in Python: one JSON object a line in, one out. {id, page, on?, call, args}: calls that method of the
// page's locator `on`, of the page, or of the table below. What no page may do is told as {trouble, page, text}.
'use strict';
const fs = require('node:fs');
const readline = require('node:readline');
const { chromium } = require('playwright-core');
const { PNG } = require('pngjs');
const jsqr = require('jsqr');

const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const pages = new Map();
let browser;

const tell = (value) => process.stdout.write(JSON.stringify(value) + '\n');

function watch(name, context, home) {
  const trouble = (kind, text) => tell({ trouble: kind, page: name, text: String(text).slice(0, 2000) });
  const own = (url) => /^(data|blob|about):/.test(url) || new URL(url).origin.replace(/^ws/, 'http') === home;
  context.on('request', (it) => own(it.url()) || trouble('foreign request', it.url()));
  context.on('console', (it) => it.type() === 'error' && trouble('console', `${it.text()} (${it.location().url})`));
  context.on('weberror', (it) => trouble('error', it.error().stack ?? it.error()));
  context.on('page', (page) => {
    page.on('crash', () => trouble('crash', page.url()));
    page.on('dialog', (it) => { trouble('dialog', it.message()); it.dismiss().catch(() => {}); });
    page.on('websocket', (it) => own(it.url()) || trouble('foreign request', it.url()));
  });
}

const actions = {
  // A browser of its own: cookies, storage and workers are shared with no other; several pages of one share them.
  async open({ name }, url, options = {}, beside = undefined) {
    let context = beside && pages.get(beside).context();
    if (!context) {
      context = await browser.newContext(options);
      watch(name, context, new URL(url).origin);
      await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (it) =>
        console.error(`content security policy: ${it.violatedDirective} ${it.blockedURI} ${it.sample}`)));
    }
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    pages.set(name, page);
    await page.goto(url);
  },
  async end({ name, page }) {
    pages.delete(name);
    await page.context().close();
  },
  offline: ({ page }, on) => page.context().setOffline(on),
  // What a phone does to a page behind the lock screen: no timer, no message, until it is 'active' again.
  async lifecycle({ page }, state) {
    const session = await page.context().newCDPSession(page);
    await session.send('Page.setWebLifecycleState', { state });
    await session.detach();
  },
  async axe({ page }, options = {}) {
    await page.evaluate(axe);
    const { violations } = await page.evaluate((it) => window.axe.run(document, it), options);
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((it) => `${it.target} ${it.failureSummary}`).join('; ')}`);
  },
  // The text of the QR code that is seen in an element, as a camera would read it.
  async qr({ locator }) {
    const { data, width, height } = PNG.sync.read(await locator.screenshot());
    return jsqr(new Uint8ClampedArray(data), width, height)?.data ?? null;
  },
  cookies: ({ page }) => page.context().cookies(),
  setCookies: ({ page }, cookies) => page.context().addCookies(cookies),
};

async function run({ page: name, on, call, args = [] }) {
  const page = pages.get(name);
  if (call in actions) return actions[call]({ name, page, locator: on && page.locator(on) }, ...args);
  const result = await (on ? page.locator(on) : page)[call](...args);
  return ['object', 'function'].includes(typeof result) && !Array.isArray(result) && call !== 'evaluate' ? null : result;
}

async function main() {
  browser = await chromium.launch({
    executablePath: process.argv[2], args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
  tell({ ready: browser.version() });
  readline.createInterface({ input: process.stdin }).on('line', async (line) => {
    const command = JSON.parse(line);
    try {
      tell({ id: command.id, result: (await run(command)) ?? null });
    } catch (error) {
      tell({ id: command.id, error: error.message });
    }
  }).on('close', async () => {
    await browser.close();
    process.exit(0);
  });
}

main();
