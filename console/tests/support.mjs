// What every file of scenarios shares: the server, the browser, pages that are signed in.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

export const { CONSOLE_URL: url, CONSOLE_TOKEN: admin, CONSOLE_SERVICE: service, CONSOLE_SHOTS: shots, CHROMIUM: executablePath } = process.env;
export const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;

before(async () => {
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});

after(() => browser?.close());

/** What the server answers; anything but 2xx fails the test. */
export async function api(method, path, body, { token = admin, text } = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": text === undefined ? "application/json" : "text/plain" },
    body: text ?? (body === undefined ? undefined : JSON.stringify(body)),
  });
  const found = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${found.slice(0, 300)}`);
  return found ? JSON.parse(found) : null;
}

/** Wait until `holds` returns true. */
export async function until(holds, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `not so within ${seconds} s: ${holds}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

/** A page that is signed in. Errors in it and violations of its policy fail the test. */
export async function open(place, { token = admin, theme = "light", width = 1280 } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: theme, reducedMotion: "reduce" });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => /Content Security Policy|Trusted/.test(message.text()) && page.problems.push(message.text()));
  if (token) await page.addInitScript((kept) => sessionStorage.getItem("echoer.session") ?? sessionStorage.setItem("echoer.session", JSON.stringify({ token: kept, namespace: "" })), token);
  await page.goto(`${url}/${place}`);
  return page;
}

/** Close a page; errors in it and violations of its policy fail the test. */
export async function close(page) {
  assert.deepEqual(page.problems, []);
  await page.context().close();
}
