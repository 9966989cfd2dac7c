// All screens: what no screen may have.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { seed } from "./seed.mjs";
import { api, axe, close, open, shots, until, url } from "./support.mjs";

const HOSTILE = '<img src=x onerror="window.hit=1">';
const NAME = encodeURIComponent(HOSTILE);
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** The address of each screen, and what it shows once it is complete. */
const SCREENS = {
  now: ["#/", ".tiles >> text=Failed"],
  runs: ["#/runs", "text=sealed-1"],
  run: ["#/runs/o-2", ".why"],
  steps: ["#/runs/s-2?tab=steps", "main ul.steps"],
  timeline: ["#/runs/s-2?side=timeline", "main h1:has-text('s-2')"],
  data: ["#/runs/s-2?side=data", "main h1:has-text('s-2')"],
  inbox: ["#/inbox", "main .card"],
  flows: ["#/flows", "main td:has-text('order')"],
  flow: ["#/flows/order", ".diagram svg"],
  live: ["#/flows/order?show=live", ".diagram .there"],
  coverage: ["#/flows/order?tab=coverage", "main table"],
  explained: ["#/flows/order?tab=steps", "main table.explained"],
  versions: ["#/flows/order?tab=versions", "main td"],
  action: ["#/actions/charge", "main dl.args"],
  used: ["#/actions/charge?tab=used", "main .cards"],
  start: ["#/start/order", "main form"],
  edit: ["#/edit?flow=order", ".editor .cm-content"],
  play: ["#/play/order", "main form"],
  health: ["#/health", "main .due"],
  terminal: ["#/terminal", "main textarea"],
  events: ["#/admin", "main form"],
  schedules: ["#/admin?tab=schedules", "main .empty"],
  hooks: ["#/admin?tab=hooks", "main .empty"],
  secrets: ["#/admin?tab=secrets", "main td"],
  tokens: ["#/admin?tab=tokens", "main form"],
  settings: ["#/settings", "main form"],
};

before(async () => {
  await seed();
  await api("POST", "/fsl", undefined, { text: "flow evil input = any; wait W => (DONE -> done) { for = 1h; }; flow_end" });
  await api("POST", "/flow/evil/runs", { name: HOSTILE, input: { a: HOSTILE }, labels: { x: HOSTILE } });
  await api("POST", `/flowrun/${NAME}/vars`, { vars: { [HOSTILE]: HOSTILE } });
});

/** Go to a screen, and wait until it is complete. */
async function show(page, place, ready) {
  await page.goto(`${url}/${place}`);
  await page.locator(ready).first().waitFor();
  await page.waitForFunction(() => !document.querySelector(".skeleton, [aria-busy=true]"));
}

for (const theme of ["light", "dark"])
  test(`accessible: axe finds nothing on any screen, ${theme}`, async () => {
    const page = await open("#/settings", { theme });
    const found = [];
    const look = async (name) => {
      await page.screenshot({ path: `${shots}/${name}-${theme}.png` });
      // axe is run through the protocol of the tools, which the page's policy does not bind.
      await page.evaluate(axe);
      const result = await page.evaluate((rules) => window.axe.run(document, { runOnly: rules }), RULES);
      for (const one of result.violations) found.push(`${name}: ${one.id} ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`);
    };
    for (const [name, [place, ready]] of Object.entries(SCREENS)) {
      await show(page, place, ready);
      await look(name);
    }
    await page.keyboard.press("Control+k");
    await page.locator("ul.palette li").first().waitFor();
    await look("palette");
    await page.keyboard.press("Escape");
    assert.deepEqual(found, []);
    await page.context().close();
  });

/** The elements that are wider than the page and cannot be scrolled by themselves. */
const tooWide = () =>
  [...document.querySelectorAll("main *, header *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, .diagram-frame, pre, .tabs, nav, .visually-hidden, .editor, .json, svg, .log"))
    .map((one) => `${one.tagName} ${one.className}`)
    .slice(0, 3);

for (const [what, width] of [["360 pixels wide", 360], ["400 % zoom of 1280 pixels", 320]])
  test(`${what}: nothing but diagrams, tables and text scrolls sideways`, async () => {
    const page = await open("#/settings", { width });
    for (const [name, [place, ready]] of Object.entries(SCREENS)) {
      await show(page, place, ready);
      if (width === 360) await page.screenshot({ path: `${shots}/${name}-narrow.png` });
      const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
      await until(fits, 3).catch(async () => assert.fail(`${name}: ${await page.evaluate(tooWide)}`));
    }
    await close(page);
  });

test("reduced motion: nothing moves; forced colours: states keep their outlines", async () => {
  const page = await open("#/runs/s-2");
  await page.locator(".diagram .node.current").waitFor();
  const moving = () => document.getAnimations().filter((one) => one.playState === "running").length;
  assert.equal(await page.evaluate(moving), 0);
  await page.emulateMedia({ reducedMotion: "no-preference" });
  await page.waitForFunction(() => document.getAnimations().some((one) => one.playState === "running"));
  await page.emulateMedia({ reducedMotion: "reduce", forcedColors: "active" });
  await show(page, "#/runs", "text=sealed-1");
  const badge = await page.locator(".badge").first().evaluate((one) => getComputedStyle(one).borderTopStyle);
  assert.notEqual(badge, "none");
  await page.screenshot({ path: `${shots}/runs-forced.png` });
  await close(page);
});

test("hostile texts stay texts on every screen", async () => {
  const page = await open("#/settings");
  const places = Object.values(SCREENS).concat([
    [`#/runs/${NAME}`, "main h1"],
    [`#/runs/${NAME}?side=data`, "main h1"],
    [`#/start/evil?like=${NAME}`, "main form"],
  ]);
  for (const [place, ready] of places) {
    await show(page, place, ready);
    assert.equal(await page.evaluate(() => window.hit), undefined, place);
  }
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("<img");
  await page.getByRole("option", { name: HOSTILE }).first().waitFor();
  assert.equal(await page.evaluate(() => window.hit), undefined);
  assert.equal(await page.locator("img").count(), 0);
  await close(page);
});
