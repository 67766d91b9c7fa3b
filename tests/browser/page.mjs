// Opens a page in headless Chromium and watches its requests, console messages and dialogs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const { PAGES, CHROMIUM } = process.env;
assert(PAGES && CHROMIUM, "PAGES and CHROMIUM must be set; run this with `cargo test --test page`");

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const quiet = ["gpu", "quic", "background-networking", "component-update", "sync"].map((what) => `--disable-${what}`);

/** Timeout for hangs. Nothing else takes that long, not even on a slow machine under load. */
const HANGS = 10 * 60_000;

export const browser = await chromium.launch({
  timeout: HANGS,
  executablePath: CHROMIUM,
  // The sandbox needs namespaces, which containers often don't allow.
  chromiumSandbox: false,
  args: [...quiet, "--no-first-run"],
});

export const desktop = { width: 1280, height: 900 };
export const phone = { width: 390, height: 844 };
export const addressOf = (name) => pathToFileURL(path.join(PAGES, `${name}.html`)).href;

/** Opens a page, passes it to `look`, and checks that it had no side effects. */
export async function open(name, look, { fragment = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: desktop, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(HANGS);
  const seen = { dialogs: [], requests: [], console: [], errors: [], windows: 0 };
  context.on("page", () => seen.windows++);
  context.on("request", (request) => seen.requests.push(request.url()));
  const page = await context.newPage();
  page.on("dialog", async (dialog) => {
    seen.dialogs.push(dialog.message());
    await dialog.dismiss();
  });
  page.on("console", (message) => seen.console.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(error.message));
  const address = addressOf(name);
  await page.goto(address + fragment);
  const found = await look(page, seen);
  const elsewhere = seen.requests.filter((url) => !url.startsWith(address) && !url.startsWith("data:"));
  assert.deepEqual({ ...seen, requests: elsewhere }, { dialogs: [], requests: [], console: [], errors: [], windows: 1 }, name);
  await context.close();
  return found;
}

/** Checks with axe that the page is accessible in its current state. */
export async function assertAccessible(page, when) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  const messages = violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`));
  assert.deepEqual(messages, [], when);
  assert(passes.length > 10, "axe checked the page");
}

/** Indices of the findings that are in the document. */
export const cards = (page) => page.locator("article").evaluateAll((all) => all.map((card) => Number(card.dataset.at)));
export const status = (page) => page.locator("#status").textContent();
/** Waits until the page has been rendered. */
export const shown = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
