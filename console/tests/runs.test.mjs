// The screens of runs, with large histories, values and lists.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";
import { admin, api, axe, close, open, service, shots, until, url } from "./support.mjs";

const ITEMS = 10_000;
const FLOWS = `action nowhere addr = "${service}/nowhere"; args = (str order); return = (PAID | REFUSED); action_end
/
flow many
    input = (int n);
    each E => (DONE -> done) {
        items = \${ [1..$input.n] }; tolerate = 1000;
        deci D => (
              when \${ $index % 1000 = 17 } -> stopped (error = "BadItem", cause = \${ "item " & $string($index) & " is bad" })
            | when \${ $index = 5 } -> Rest
            | else -> done
        );
        wait Rest => (DONE -> done) { for = 1h; };
    };
flow_end
/
flow keep
    input = (any blob);
    wait Rest => (DONE -> done) { for = 1h; };
flow_end
/
flow pair
    input = (int n);
    set First => (DONE -> Size);
    deci Size => (when \${ $input.n > 10 } -> Large | else -> Small);
    set Large => (DONE -> Last);
    set Small => (DONE -> Last);
    wait Last => (DONE -> done) { for = 1s; };
flow_end
/
flow kid
    input = (str mother);
    emit Tell => (DONE -> Rest) { event = "kid.born"; to = \${ $input.mother }; };
    wait Rest => (DONE -> done) { for = 1h; };
flow_end
/
flow mother
    call Kid => (DONE -> done | STOPPED -> stopped) { flow = kid; input = (mother = \${ $run.name }); };
flow_end
/
flow pay
    input = (str order);
    step Charge => (PAID -> done | REFUSED -> stopped) { action = nowhere; args = (order = \${ $input.order }); };
flow_end
/
flow slow
    wait Rest => (DONE -> done) { for = 1h; };
flow_end`;

/** How many elements the page has. */
const elements = (page) => page.evaluate(() => document.querySelectorAll("body *").length);

/** Save what a button saves, and return its bytes. */
async function saved(page, press) {
  const download = page.waitForEvent("download");
  await press();
  return readFile(await (await download).path());
}

async function shot(page, name) {
  await page.screenshot({ path: `${shots}/runs-${name}.png` });
}

const blob = Array.from({ length: 20_000 }, (_, n) => ({ number: n, text: `row ${n} of a value that is large`, "a/b": [n, `${n}`] }));
const large = [{ text: "x".repeat(90_000) }, ...Array.from({ length: 45_000 }, (_, n) => ({ number: n, text: `row ${n} ${"y".repeat(60)}` }))];

before(async () => {
  await api("POST", "/fsl", undefined, { text: FLOWS });
  await api("POST", "/flow/many/runs", { name: "many-1", input: { n: ITEMS } });
  await api("POST", "/flow/keep/runs", { name: "keep-1", input: { blob } });
  await api("POST", "/flowrun/keep-1/vars", { vars: { large } });
  await until(async () => (await api("GET", "/flowrun/many-1?view=summary")).spec.seq > ITEMS, 60);
});

test("a history of 10,001 entries: the newest at once, any by its number, failures, and what is found", async () => {
  const page = await open("#/runs");
  await page.getByRole("link", { name: "many-1", exact: true }).waitFor();
  const begun = Date.now();
  await page.goto(`${url}/#/runs/many-1`);
  await page.locator(".row.entry").first().waitFor();
  const took = Date.now() - begun;
  assert.ok(took < 1_500, `the newest entries came after ${took} ms`);
  await page.getByText("10,001 / 10,001").waitFor();
  await page.locator(".diagram svg").waitFor();
  assert.ok((await elements(page)) <= 400, `${await elements(page)} elements`);
  const read = [];
  page.on("request", (request) => /\/history\?/.test(request.url()) && read.push(request.url()));
  await page.getByLabel("Go to no.").first().fill("9000");
  await page.getByLabel("Go to no.").first().press("Enter");
  await page.getByRole("heading", { name: /^Entry 9,000/ }).waitFor();
  await page.locator(".row.entry.at .seq", { hasText: "9000" }).waitFor();
  assert.equal(read.length, 1, "one page holds what is around an entry");
  await page.keyboard.press("Escape");
  await page.getByLabel("Go to no.").first().fill("1");
  await page.getByLabel("Go to no.").first().press("Enter");
  await page.locator(".row.entry.at", { hasText: "RunStarted" }).waitFor();
  assert.equal(read.length, 2);
  assert.ok((await elements(page)) <= 450, `${await elements(page)} elements`);
  await page.getByLabel("Only failures").check();
  await page.getByText("10 found in 10,001").waitFor();
  assert.match(page.url(), /failed=1/);
  await shot(page, "history-failures");
  await page.getByLabel("Only failures").uncheck();
  await page.getByLabel("Find in the history").fill("ITEM 4017 is");
  await page.getByText("1 found in 10,001").waitFor();
  await page.locator(".row.entry", { hasText: "0.4017" }).click();
  await page.getByRole("heading", { name: /^Entry/ }).waitFor();
  await page.getByText("item 4017 is bad").last().waitFor();
  await page.getByLabel("Find in the history").fill("");
  await page.getByText("10,001 / 10,001").waitFor();
  await page.locator(".rows").focus();
  await page.keyboard.press("End");
  await page.locator(".row.entry.at .seq", { hasText: /^1$/ }).waitFor();
  await page.keyboard.press("n");
  await page.locator(".row.entry.at", { hasText: "item 17 is bad" }).waitFor();
  await page.keyboard.press("[");
  await page.locator(".row.entry.failed.at").waitFor({ state: "detached" });
  await close(page);
});

test("values of 1.8 and 5 MB: a first look at once, deeper on demand, saved byte by byte", async () => {
  const page = await open("#/runs/keep-1");
  await page.locator(".row.entry").first().waitFor();
  const begun = Date.now();
  await page.getByRole("tab", { name: "Data" }).click();
  const input = page.getByRole("group", { name: "Input", exact: true });
  await input.getByRole("button", { name: "Open /blob", exact: true }).waitFor();
  const variables = page.getByRole("group", { name: "Variables", exact: true });
  await variables.getByRole("button", { name: "Open /large", exact: true }).waitFor();
  const took = Date.now() - begun;
  assert.ok(took < 1_000, `the first look took ${took} ms`);
  assert.ok((await elements(page)) <= 1_500, `${await elements(page)} elements`);
  await shot(page, "values");
  await input.getByRole("button", { name: "Open /blob", exact: true }).click();
  const rows = page.getByRole("group", { name: "/blob", exact: true });
  await rows.getByText("list · 20,000").waitFor();
  await rows.getByRole("textbox").fill("19990");
  await rows.getByRole("textbox").press("Enter");
  await rows.getByText("19995").click();
  await rows.locator("li", { hasText: "19995" }).locator(".fold").first().click();
  await rows.getByText('"row 19995 of a value that is large"').waitFor();
  await rows.locator("li", { hasText: "a/b" }).first().waitFor();
  await variables.getByRole("button", { name: "Open /large", exact: true }).click();
  const whole = page.getByRole("group", { name: "/large", exact: true });
  await whole.getByRole("button", { name: "Open /large/0/text" }).waitFor();
  for (const [group, label, of, path] of [
    [input, "Input", "input", ""],
    [rows, "/blob", "input", "/blob"],
    [variables, "Variables", "vars", ""],
    [whole, "/large", "vars", "/large"],
  ]) {
    const bytes = await saved(page, () => group.getByRole("button", { name: `Save the whole of ${label}`, exact: true }).first().click());
    const response = await fetch(`${url}/flowrun/keep-1/value?of=${of}&path=${encodeURIComponent(path)}&raw=true`, { headers: { authorization: `Bearer ${admin}` } });
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes), `${label}: the bytes differ`);
    assert.deepEqual(JSON.parse(bytes.toString()), { "": path ? null : { [of === "input" ? "blob" : "large"]: of === "input" ? blob : large }, "/blob": blob, "/large": large }[path]);
  }
  await close(page);
});
