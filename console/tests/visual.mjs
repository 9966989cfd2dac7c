// The screens as pictures, compared with references. What differs from run to run, such as times, is masked.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { before, test } from "node:test";
import { api, close, open, shots, until, url } from "./support.mjs";

const { CONSOLE_REFERENCES: references, CONSOLE_RENEW: renew } = process.env;
/** The share of pixels that may differ, and by how much a channel may before its pixel counts. */
const [SHARE, STEP] = [0.003, 24];
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };
const MASKED = ["time", ".elapsed", ".title.run .faint"];

/** Nothing listens at this address, so that the error has the same text on every machine. */
const FLOWS = `action charge addr = "http://127.0.0.1:9/charge"; args = (str order); return = (PAID | REFUSED); retry = (max = 1); action_end
/
action review method = human; args = (str order, float amount); return = (AGREE | REJECT); timeout = 1d; action_end
/
flow order
    input = (str order, float amount = 10.0);
    deci Size => (when \${ $input.amount > 1000 } -> Review | else -> Charge);
    deci Review => (AGREE -> Charge | REJECT -> stopped | TIMEOUT -> stopped) {
        action = review; args = (order = \${ $input.order }, amount = \${ $input.amount });
    };
    step Charge => (PAID -> done | REFUSED -> stopped) { action = charge; args = (order = \${ $input.order }); };
flow_end
/
flow slow
    wait Rest => (DONE -> done) { for = 300d; };
flow_end`;

const SCREENS = {
  now: ["#/", ".tiles >> text=Failed"],
  runs: ["#/runs", "text=s-1"],
  failed: ["#/runs/o-1", ".why pre"],
  waiting: ["#/runs/o-3", ".waits li:has-text('then stops')"],
  inbox: ["#/inbox", "main .card"],
  flows: ["#/flows", "main td:has-text('order')"],
  coverage: ["#/flows/order?show=coverage", ".diagram text.never"],
  steps: ["#/flows/order?tab=steps", "main table.explained"],
  start: ["#/start/order", "main form"],
  edit: ["#/edit?flow=order", ".diagram svg"],
  play: ["#/play/order", "main form"],
  health: ["#/health", "main .due"],
  secrets: ["#/admin?tab=secrets", "main td"],
  settings: ["#/settings", "main form"],
};
const ON_A_PHONE = ["now", "runs", "failed", "inbox", "coverage", "start"];

before(async () => {
  await mkdir(references, { recursive: true });
  await api("PUT", "/secret/pay.key", { value: "s3cr3t-of-the-bank" });
  await api("POST", "/fsl", undefined, { text: FLOWS });
  for (const [name, amount] of [["o-1", 50], ["o-2", 60], ["o-3", 5000], ["o-4", 6000]]) {
    await api("POST", "/flow/order/runs", { name, input: { order: name, amount }, labels: { team: "a" } });
    await until(async () => (await api("GET", `/flowrun/${name}`)).spec.status !== "running" || amount > 1000);
  }
  await api("POST", "/flow/slow/runs", { name: "s-1" });
});

/** The share of pixels that differ between two pictures, compared on a canvas of the page. */
function difference([one, other, step]) {
  const load = (data) =>
    new Promise((done, fail) => {
      const image = new Image();
      image.onload = () => done(image);
      image.onerror = fail;
      image.src = `data:image/png;base64,${data}`;
    });
  return Promise.all([load(one), load(other)]).then(([first, second]) => {
    const { naturalWidth: width, naturalHeight: height } = first;
    if (second.naturalWidth !== width || second.naturalHeight !== height) return { share: 1 };
    const pixels = (image) => {
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, width, height).data;
    };
    const [before, after] = [pixels(first), pixels(second)];
    let count = 0;
    for (let at = 0; at < before.length; at += 4) if ([0, 1, 2].some((n) => Math.abs(before[at + n] - after[at + n]) > step)) count++;
    return { share: count / (width * height) };
  });
}

/** A picture of the page once it does not change any more. */
async function still(page) {
  const take = () => page.screenshot({ mask: MASKED.map((one) => page.locator(one)), maskColor: "#888888", animations: "disabled" });
  let picture = await take();
  await until(async () => {
    const before = picture;
    await new Promise((next) => setTimeout(next, 150));
    picture = await take();
    return picture.equals(before);
  });
  return picture;
}

async function shot(page, name, place, ready) {
  await page.goto(`${url}/${place}`);
  await page.locator(ready).first().waitFor();
  await page.waitForFunction(() => !document.querySelector(".skeleton, [aria-busy=true]"));
  await page.evaluate(() => document.activeElement?.blur());
  await page.evaluate(() => document.fonts.ready);
  const picture = await still(page);
  const file = `${references}/${name}.png`;
  if (renew) return writeFile(file, picture);
  const reference = await readFile(file);
  const blank = await page.context().newPage();
  const { share } = await blank.evaluate(difference, [reference.toString("base64"), picture.toString("base64"), STEP]);
  await blank.close();
  if (share <= SHARE) return undefined;
  await writeFile(`${shots}/${name}-now.png`, picture);
  return `${name}: ${(share * 100).toFixed(2)} % of the pixels differ`;
}

for (const [theme, size, names] of [["light", WIDE, Object.keys(SCREENS)], ["dark", WIDE, Object.keys(SCREENS)], ["light", NARROW, ON_A_PHONE]])
  test(`${names.length} screens, ${theme}, ${size.width} × ${size.height}`, async () => {
    const page = await open("#/settings", { theme, width: size.width });
    await page.setViewportSize(size);
    const problems = [];
    for (const name of names) problems.push(await shot(page, `${name}-${size.width}-${theme}`, ...SCREENS[name]));
    assert.deepEqual(problems.filter(Boolean), []);
    await close(page);
  });
