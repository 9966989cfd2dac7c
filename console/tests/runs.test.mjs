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
    fork Both => (DONE -> done) {
        branch kid {
            call Kid => (DONE -> done | STOPPED -> stopped) { flow = kid; input = (mother = \${ $run.name }); };
        };
        branch ear {
            wait Hear => (BORN -> done) { events = (BORN = "kid.born"); };
        };
    };
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

/** How long something may take that takes `milliseconds` on an idle machine: longer while others use the processors. */
function budget(milliseconds) {
  const [begun, before] = [process.hrtime.bigint(), process.cpuUsage()];
  while (process.hrtime.bigint() - begun < 60_000_000n);
  const used = process.cpuUsage(before);
  return milliseconds * Math.max(1, 60_000 / (used.user + used.system));
}

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
const large = [{ text: "x".repeat(90_000) }, ...Array.from({ length: 51_000 }, (_, n) => ({ number: n, text: `row ${n} ${"y".repeat(60)}` }))];

before(async () => {
  await api("POST", "/fsl", undefined, { text: FLOWS });
  await api("POST", "/flow/many/runs", { name: "many-1", input: { n: ITEMS } });
  await api("POST", "/flow/keep/runs", { name: "keep-1", input: { blob } });
  await api("POST", "/flowrun/keep-1/vars", { vars: { large } });
  await api("POST", "/flow/slow/runs", { name: "sought" });
  await api("POST", "/flow/mother/runs", { name: "mother-1" });
  for (const [name, n] of [["pair-1", 1], ["pair-2", 20], ["pair-3", 2]]) await api("POST", "/flow/pair/runs", { name, input: { n } });
  await api("POST", "/batch", { select: { names: ["pair-1"] }, do: "pause", dry_run: true });
  await until(async () => (await api("GET", "/flowrun/many-1?view=summary")).spec.seq > ITEMS, 60);
});

test("a history of 10,001 entries: the newest at once, any by its number, failures, and what is found", async () => {
  const page = await open("#/runs");
  await page.getByRole("link", { name: "many-1", exact: true }).waitFor();
  const begun = Date.now();
  await page.goto(`${url}/#/runs/many-1`);
  await page.locator(".row.entry").first().waitFor();
  const took = Date.now() - begun;
  assert.ok(took < budget(1_500), `the newest entries came after ${took} ms`);
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
  await input.getByRole("button", { name: /^Open \/blob: / }).waitFor();
  const variables = page.getByRole("group", { name: "Variables", exact: true });
  await variables.getByRole("button", { name: /^Open \/large: / }).waitFor();
  const took = Date.now() - begun;
  assert.ok(took < budget(1_000), `the first look took ${took} ms`);
  assert.ok((await elements(page)) <= 1_500, `${await elements(page)} elements`);
  await shot(page, "values");
  await input.getByRole("button", { name: /^Open \/blob: / }).click();
  const rows = page.getByRole("group", { name: "/blob", exact: true });
  await rows.getByText("list · 20,000").waitFor();
  await rows.getByRole("textbox").fill("19990");
  await rows.getByRole("textbox").press("Enter");
  await rows.getByText("19995").click();
  await rows.locator("li", { hasText: "19995" }).locator(".fold").first().click();
  await rows.getByText('"row 19995 of a value that is large"').waitFor();
  await rows.locator("li", { hasText: "a/b" }).first().waitFor();
  await variables.getByRole("button", { name: /^Open \/large: / }).click();
  const whole = page.getByRole("group", { name: "/large", exact: true });
  await whole.locator(".fold").first().click();
  await whole.getByRole("button", { name: /^Open \/large\/0\/text: / }).waitFor();
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

test("each of 10,000: a grid of cells, the failed ones, one item and its history", async () => {
  const page = await open("#/runs/many-1?tab=items");
  await page.getByRole("button", { name: "10 failed" }).waitFor();
  await page.getByRole("button", { name: "9,989 done" }).waitFor();
  assert.equal(await page.locator("canvas").count(), 1);
  assert.ok((await elements(page)) <= 450, `${await elements(page)} elements`);
  const box = await page.locator(".item-grid canvas").boundingBox();
  await page.mouse.click(box.x + 5 * 9 + 4, box.y + 4);
  await page.getByRole("heading", { name: "Item 5 · running" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "10 failed" }).click();
  const rows = page.getByRole("grid", { name: "Items" });
  assert.equal(await rows.getAttribute("aria-rowcount"), "10");
  await rows.getByText("item 3017 is bad").click();
  const item = page.getByRole("region", { name: "Item 3,017" });
  await item.getByText("BadItem").waitFor();
  await shot(page, "items");
  await item.getByRole("button", { name: "Its history" }).click();
  await page.getByText("1 found in 10,001").waitFor();
  await page.locator(".row.entry", { hasText: "0.3017" }).click();
  await page.getByRole("region", { name: /^Entry/ }).getByText("item 3017 is bad").waitFor();
  await page.getByRole("application", { name: /^10,000 items/ }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("heading", { name: "Item 3,018 · done" }).waitFor();
  await close(page);
});

/** Answer the calls of a page for lists of runs as a server with `total` runs would. */
async function manyRuns(page, total) {
  const at = (n) => new Date(Date.UTC(2026, 10, 20) - n * 1000).toISOString();
  const run = (n) => ({
    metadata: { name: `run-${n}`, kind: "flowrun", namespace: "default", version: 3, uuid: `uuid-${n}`, labels: {} },
    spec: { flow: "pay", flow_version: 1, status: "succeeded", current_state: "done", last_state: "Charge", last_event: "", last_err: "", error: null, seq: 4, writes: 3, tokens: 0, next_deadline: null, created_at: at(n), updated_at: at(n), ended_at: at(n), parent: null, sizes: { input: 2, global_variable: 2, output: 4 } },
  });
  const state = { first: 0, calls: 0 };
  await page.route("**/flowrun?*", (route) => {
    const query = new URL(route.request().url()).searchParams;
    const from = Number(query.get("cursor") ?? state.first);
    const end = Math.min(total, from + Number(query.get("limit")));
    state.calls++;
    const json = Array.from({ length: end - from }, (_, n) => run(from + n));
    return route.fulfill({ json, headers: end < total ? { "x-next-cursor": String(end), "x-total-approx": String(total) } : {} });
  });
  return state;
}

test("20,000 rows by keyboard: the page stays small, and what was dropped is read again", async () => {
  const page = await open("#/settings");
  const server = await manyRuns(page, 20_000);
  await page.goto(`${url}/#/runs`);
  await page.getByText("of 20,000 runs").waitFor();
  const grid = page.getByRole("grid", { name: "Runs" });
  await grid.focus();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await grid.locator(".row.at", { hasText: "run-2" }).waitFor();
  await page.keyboard.press("End");
  await grid.locator(".row.at", { hasText: "run-99" }).waitFor();
  // The key stays down: each page is read when the end of what is known comes near.
  await grid.evaluate(async (element) => {
    while (!document.querySelector(".title .faint").textContent.startsWith("20,000 ")) {
      element.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
      await new Promise((next) => setTimeout(next, 5));
    }
  });
  await page.keyboard.press("End");
  await grid.locator(".row.at", { hasText: "run-19999" }).waitFor();
  assert.ok((await elements(page)) <= 900, `${await elements(page)} elements`);
  const before = server.calls;
  await page.keyboard.press("Home");
  await grid.locator(".row.at", { hasText: "run-0" }).waitFor();
  assert.ok(server.calls > before, "a page that was dropped is read again");
  assert.ok((await elements(page)) <= 900, `${await elements(page)} elements`);
  await close(page);
});

test("lists: new runs come as a bar and move no row; keys select, and go to the commands", async () => {
  const start = (name) => api("POST", "/flow/slow/runs", { name, labels: { is: "new" } });
  await start("new-0");
  const page = await open("#/settings");
  await page.evaluate(() => localStorage.setItem("echoer.settings", JSON.stringify({ refresh: 1 })));
  await page.goto(`${url}/?again#/runs?label=is:new`);
  await page.getByRole("link", { name: "new-0", exact: true }).waitFor();
  const place = (await page.getByRole("link", { name: "new-0", exact: true }).boundingBox()).y;
  for (const name of ["new-1", "new-2", "new-3"]) await start(name);
  const bar = page.getByRole("button", { name: "3 new runs · show" });
  await bar.waitFor({ timeout: 12_000 });
  assert.equal(await page.getByRole("link", { name: "new-3", exact: true }).count(), 0);
  const moved = (await page.getByRole("link", { name: "new-0", exact: true }).boundingBox()).y - place;
  assert.ok(moved < 60, "only the bar is above the rows");
  await bar.click();
  await page.getByRole("link", { name: "new-3", exact: true }).waitFor();
  await page.getByRole("grid").focus();
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("X");
  await page.getByText("3 selected").waitFor();
  await page.keyboard.press(".");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Retry");
  await page.getByRole("grid").focus();
  await page.keyboard.press("*");
  await page.getByText("3 selected").waitFor({ state: "detached" });
  await page.keyboard.press("*");
  await page.getByText("4 selected").waitFor();
  await api("POST", "/flowrun/new-2/labels", { remove: ["is"] });
  await page.getByRole("button", { name: "1 run no longer matches · show" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "new-1", exact: true }).waitFor();
  await close(page);
});

test("search: a name, the uuid of a step, a filter, and nonsense", async () => {
  const page = await open("#/runs");
  const find = page.locator("[data-find]");
  const enter = async (text) => {
    await find.fill(text);
    await find.press("Enter");
  };
  await enter("  sought ");
  await page.getByRole("heading", { name: "sought", exact: true }).waitFor();
  const uuid = (await api("GET", "/flowrun/sought")).spec.tokens[0].uuid;
  await page.goBack();
  await enter(uuid.toUpperCase());
  await page.getByRole("heading", { name: "sought", exact: true }).waitFor();
  assert.match(page.url(), /step=Rest/);
  await page.goto(`${url}/#/runs`);
  await enter("flow:slow");
  await page.getByText("flow: slow").waitFor();
  await page.goto(`${url}/#/runs`);
  await enter("neither %name nor ' OR 1=1");
  await page.getByText("No run matches").waitFor();
  await page.goto(`${url}/#/runs`);
  await enter("status:dead");
  await page.getByRole("alert").getByText(/status/).first().waitFor();
  await close(page);
});

test("views, columns and a link: kept here, shared by an address", async () => {
  const page = await open("#/runs?flow=slow");
  await page.getByRole("link", { name: "sought", exact: true }).waitFor();
  await page.getByText("Columns", { exact: true }).click();
  await page.getByLabel("Writes", { exact: true }).check();
  await page.getByLabel("Took", { exact: true }).uncheck();
  await page.getByRole("columnheader", { name: "Writes" }).waitFor();
  assert.equal(await page.getByRole("columnheader", { name: "Took" }).count(), 0);
  await page.keyboard.press("Escape");
  await page.getByText("Views", { exact: true }).click();
  await page.getByLabel("Name of a view").fill("slow ones");
  await page.getByLabel("Name of a view").press("Enter");
  await page.getByRole("link", { name: "slow ones" }).waitFor();
  await page.getByRole("button", { name: "Copy link" }).click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await page.goto(`${url}/#/runs`);
  await page.reload();
  await page.getByText("Views", { exact: true }).click();
  await page.getByRole("link", { name: "slow ones" }).click();
  await page.getByText("flow: slow").waitFor();
  await close(page);
  const other = await open("#/settings");
  await other.goto(link);
  await other.getByText("flow: slow").waitFor();
  await other.getByRole("columnheader", { name: "Writes" }).waitFor();
  assert.equal(await other.getByRole("columnheader", { name: "Took" }).count(), 0);
  await close(other);
});

test("export: CSV and JSONL of all that match, cells that compute are text, and it can be stopped", async () => {
  for (const name of ["=1+1", "+2", "-3", "@4", 'a "quoted", one']) await api("POST", "/flow/slow/runs", { name, labels: { export: "yes" } });
  const page = await open("#/runs?label=export:yes&cols=name,flow,status,labels");
  await page.getByRole("link", { name: "=1+1", exact: true }).waitFor();
  const as = (format) => async () => {
    await page.getByText("Export", { exact: true }).click();
    await page.getByRole("button", { name: format, exact: true }).click();
  };
  const csv = (await saved(page, as("CSV"))).toString();
  await page.getByText("5 runs saved.").waitFor();
  assert.equal(csv.split("\r\n")[0], "name,flow,status,labels");
  for (const cell of ["'=1+1", "'+2", "'-3", "'@4", '"a ""quoted"", one"']) assert.ok(csv.includes(`\r\n${cell},slow,running,export:yes`), cell);
  await page.getByRole("button", { name: "Close" }).last().click();
  const lines = (await saved(page, as("JSONL"))).toString().trim().split("\n");
  assert.deepEqual(new Set(lines.map((one) => JSON.parse(one).metadata.name)), new Set(["=1+1", "+2", "-3", "@4", 'a "quoted", one']));
  await page.getByRole("button", { name: "Close" }).last().click();
  await page.route("**/flowrun?*limit=1000*", async (route) => {
    await new Promise((next) => setTimeout(next, 300));
    await route.fulfill({ json: [], headers: { "x-next-cursor": "1" } }).catch(() => null);
  });
  await as("CSV")();
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await page.getByText(/^Stopped after 0 runs/).waitFor();
  await close(page);
});

test("two runs side by side: where their paths part, and the time at each step", async () => {
  await until(async () => (await api("GET", "/flowrun?flow=pair&status=succeeded&view=summary")).length === 3);
  const page = await open("#/runs?flow=pair");
  await page.getByRole("checkbox", { name: "pair-1" }).check();
  await page.getByRole("checkbox", { name: "pair-2" }).check();
  await page.getByRole("toolbar").getByRole("link", { name: "Compare" }).click();
  await page.getByRole("heading", { name: "After 2 equal moves the paths part" }).waitFor();
  const path = page.getByRole("region", { name: "Path" });
  const row = path.getByRole("row", { name: /Small.*Large|Large.*Small/ }).first();
  await row.getByLabel("differs").waitFor();
  const times = page.getByRole("region", { name: "Time at each step" });
  await times.getByRole("row", { name: /^Last/ }).getByText(/^1 s/).first().waitFor();
  await shot(page, "compare");
  await page.goto(`${url}/#/runs/pair-1`);
  await page.locator("main .menu summary").click();
  await page.getByRole("link", { name: "Compare" }).click();
  await page.getByRole("link", { name: /pair-3/ }).click();
  await page.getByRole("heading", { name: "Both took the same path" }).waitFor();
  await close(page);
});

test("a timeline: bars for the visits of steps, with idle time and without", async () => {
  await until(async () => (await api("GET", "/flowrun/pair-2?view=summary")).spec.status === "succeeded");
  const page = await open("#/runs/pair-2?side=timeline");
  const bars = page.getByRole("grid", { name: "Timeline" });
  await bars.getByRole("row", { name: /^Last.*1 s$/ }).waitFor();
  await page.getByLabel("Hide idle time").uncheck();
  const last = bars.getByRole("row", { name: /^Last/ }).locator("rect");
  assert.ok(Number(await last.getAttribute("width")) > 90, "a second of nearly a second");
  await bars.getByRole("button", { name: "Size" }).click();
  await page.locator(".chip", { hasText: "Size" }).waitFor();
  await close(page);
});

test("a call tree: parent, children, and the signal of a child", async () => {
  const [kid] = await api("GET", "/flowrun?parent=mother-1&view=summary");
  const page = await open("#/runs/mother-1?tab=calls");
  const tree = page.getByRole("list", { name: "Calls" });
  await tree.getByRole("link", { name: kid.metadata.name }).waitFor();
  const heard = page.locator(".messages li", { hasText: "Hear received BORN" });
  await heard.getByRole("link", { name: kid.metadata.name }).waitFor();
  await shot(page, "calls");
  await tree.getByRole("link", { name: kid.metadata.name }).click();
  await page.getByRole("heading", { name: kid.metadata.name }).waitFor();
  await page.getByRole("tab", { name: "Calls" }).click();
  await page.getByRole("list", { name: "Calls" }).getByRole("link", { name: "mother-1", exact: true }).waitFor();
  await page.locator(".messages li", { hasText: "Tell sent" }).waitFor();
  await page.getByRole("tab", { name: "Cost" }).click();
  await page.getByText(/times as much/).first().waitFor();
  await close(page);
});

test("what a run has cost: the parts by service make up the whole, beside Step Functions", async () => {
  const cost = await api("GET", "/flowrun/mother-1/cost");
  const page = await open("#/runs/mother-1?side=cost");
  const table = page.locator(".cost table");
  await table.waitFor();
  const named = { dynamodb: "DynamoDB", sqs: "SQS", lambda: "Lambda", api_gateway: "API Gateway" };
  const parts = Object.entries(cost.usd_by_service).filter(([, usd]) => usd > 0).map(([name]) => named[name]);
  assert.ok(parts.length >= 3, parts.join());
  assert.deepEqual(await table.locator("tr.part th").allTextContents(), parts);
  const heads = await table.locator("tr th").allTextContents();
  assert.equal(heads[0], "Echoer");
  assert.ok(heads.at(-1).startsWith("Step Functions"), heads.join());
  assert.equal(await page.locator(".cost dt", { hasText: "Answers by callback" }).count(), 1);
  await close(page);
});

test("250 runs at once: a frozen set, two refused with reasons, stopped, reloaded, gone on with", async () => {
  const names = Array.from({ length: 250 }, (_, n) => `bulk-${n}`);
  for (let n = 0; n < names.length; n += 25) await Promise.all(names.slice(n, n + 25).map((name) => api("POST", "/flow/slow/runs", { name, labels: { bulk: "yes" } })));
  for (const name of ["bulk-3", "bulk-77"]) await api("POST", `/flowrun/${name}/stop`, {});
  const page = await open("#/runs?label=bulk:yes");
  await page.getByRole("link", { name: "bulk-249", exact: true }).waitFor();
  await page.getByRole("checkbox", { name: "Select all that are shown" }).check();
  await page.getByRole("button", { name: "Select all that match" }).click();
  await page.getByText("250 selected").waitFor();
  await page.getByRole("toolbar").getByRole("button", { name: "Pause" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "What would happen?" }).click();
  await dialog.getByText("248 would be done, 2 refused, of 250").waitFor();
  await dialog.getByLabel("At most").selectOption("50");
  await api("POST", "/flow/slow/runs", { name: "bulk-later", labels: { bulk: "yes" } });
  await dialog.getByRole("button", { name: "Pause", exact: true }).click();
  await page.waitForURL(/#\/batch\//);
  await page.getByText(/^(5\d|1\d\d) done/).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("stopped", { exact: true }).waitFor();
  await page.reload();
  await page.getByText("stopped", { exact: true }).waitFor();
  const left = await api("GET", `/batch/${page.url().split("/batch/")[1]}`);
  assert.ok(left.left > 0 && left.matched === 250);
  await page.getByRole("button", { name: /^Go on with the/ }).click();
  await page.getByText("248 done, 2 refused, of 250").waitFor();
  await page.getByRole("row", { name: /bulk-77.*refused.*canceled/ }).waitFor();
  await shot(page, "batch");
  assert.equal((await api("GET", "/flowrun/bulk-later")).spec.status, "running");
  const csv = (await saved(page, () => page.getByRole("button", { name: "CSV" }).click())).toString();
  assert.equal(csv.trim().split("\r\n").length, 251);
  await page.getByRole("button", { name: "Try these 2 again" }).click();
  await page.getByText("0 done, 2 refused, of 2").waitFor();
  await close(page);
});

test("8 tabs on one run: one waits for news, all show a move within a second", async () => {
  await api("POST", "/flow/slow/runs", { name: "live-1" });
  const first = await open("#/runs/live-1");
  const pages = [first];
  while (pages.length < 8) {
    const page = await first.context().newPage();
    await page.addInitScript((kept) => sessionStorage.setItem("echoer.session", JSON.stringify({ token: kept, namespace: "" })), admin);
    pages.push(page);
    await page.goto(`${url}/#/runs/live-1`);
  }
  const waiting = new Set();
  for (const page of pages) {
    page.on("request", (request) => request.url().includes("/watch?") && waiting.add(request));
    page.on("requestfinished", (request) => waiting.delete(request));
    page.on("requestfailed", (request) => waiting.delete(request));
    await page.getByText("1 / 1").waitFor();
  }
  for (let n = 2; n < 5; n++) {
    await api("POST", "/flowrun/live-1/vars", { vars: { n } });
    const begun = Date.now();
    await Promise.all(pages.map((page) => page.getByText(`${n} / ${n}`).waitFor()));
    const took = Date.now() - begun;
    assert.ok(took < budget(1_000), `move ${n} was everywhere after ${took} ms`);
    assert.ok(waiting.size <= 1, `${waiting.size} tabs wait for news`);
  }
  // The tab that asks is closed: another one takes its place.
  await first.close();
  await pages[1].waitForTimeout(200);
  await api("POST", "/flowrun/live-1/vars", { vars: { last: true } });
  await Promise.all(pages.slice(1).map((page) => page.getByText("5 / 5").waitFor({ timeout: 5_000 })));
  await pages[1].context().close();
});

test("secrets and hostile names: nothing in clear, no script, on every screen", async () => {
  const hostile = '<img src=x onerror="window.hit=1">';
  await api("PUT", "/secret/pay.key", { value: "s3cr3t-of-the-bank" });
  await api("POST", "/fsl", undefined, {
    text: `action guarded addr = "${service}/answer"; args = (secret str key = secret "pay.key"); return = (OK); data = secret; action_end
/
flow sealed
    input = (str a, secret str pin);
    step Use => (OK -> Each) { action = guarded; save = (kept = \${ $result }); };
    each Each => (DONE -> Rest) { items = \${ [$input.a, $input.a] }; set S => (DONE -> done (output = \${ $item })); };
    wait Rest => (DONE -> done) { for = 1h; };
flow_end`,
  });
  for (const name of [hostile, "sealed-2"]) await api("POST", "/flow/sealed/runs", { name, input: { a: hostile, pin: "p1n-of-ann" }, labels: { x: hostile } });
  await api("POST", `/flowrun/${encodeURIComponent(hostile)}/vars`, { vars: { [hostile]: hostile } });
  await until(async () => (await api("GET", `/flowrun/sealed-2?view=summary`)).spec.current_state === "Rest");
  const run = `#/runs/${encodeURIComponent(hostile)}`;
  const page = await open("#/runs?flow=sealed&cols=name,flow,status,labels,error");
  const read = [];
  page.on("response", async (response) => read.push(await response.text().catch(() => "")));
  const csv = await saved(page, async () => {
    await page.getByText("Export", { exact: true }).click();
    await page.getByRole("button", { name: "JSONL", exact: true }).click();
  });
  read.push(csv.toString());
  for (const place of [`${run}?tab=items`, `${run}?tab=calls&side=cost`, `${run}?side=data`, `${run}?side=timeline`, `#/compare/${encodeURIComponent(hostile)}/sealed-2`]) {
    await page.goto(`${url}/${place}`);
    await page.getByText("<img src=x").first().waitFor();
    await page.waitForTimeout(250);
    read.push(await page.content());
  }
  await page.goto(`${url}/${run}`);
  for (const seq of [1, 2, 3]) {
    await page.locator(".row.entry").nth(-seq).click();
    await page.getByRole("region", { name: /^Entry/ }).waitFor();
    read.push(await page.content());
  }
  await page.locator("main .menu summary").click();
  await page.getByRole("button", { name: "Set variables" }).click();
  const dialog = page.getByRole("dialog");
  const given = JSON.parse(await dialog.getByLabel("Variables (JSON)").inputValue());
  assert.deepEqual(given, { [hostile]: hostile });
  await dialog.getByLabel("Variables (JSON)").fill(JSON.stringify({ ...given, more: 1 }));
  await dialog.getByRole("button", { name: "Set variables" }).click();
  await dialog.getByText(/Done/).waitFor();
  assert.deepEqual((await api("GET", `/flowrun/${encodeURIComponent(hostile)}`)).spec.global_variable, { kept: "***", [hostile]: hostile, more: 1 });
  read.push(await page.evaluate(async () => JSON.stringify([{ ...localStorage }, (await indexedDB.databases()).map((one) => one.name)])));
  assert.equal(await page.evaluate(() => window.hit), undefined);
  for (const secret of ["s3cr3t-of-the-bank", "p1n-of-ann"]) assert.ok(!read.some((one) => one.includes(secret)), secret);
  await close(page);
});

test("a run that is deleted while it is open stays as it was last; a viewer may not command, and sees why", async () => {
  await api("POST", "/flow/slow/runs", { name: "gone-1" });
  await api("POST", "/flowrun/gone-1/stop", { reason: "enough" });
  const viewer = (await api("POST", "/token", { name: "runs-viewer", role: "viewer" })).token;
  const page = await open("#/settings", { token: viewer });
  await page.evaluate(() => localStorage.setItem("echoer.settings", JSON.stringify({ refresh: 1 })));
  await page.goto(`${url}/?again#/runs?status=canceled&flow=slow`);
  await page.getByRole("checkbox", { name: "gone-1" }).check();
  const retry = page.getByRole("toolbar").getByRole("button", { name: "Retry" });
  assert.ok(await retry.isDisabled());
  assert.match(await retry.getAttribute("title"), /POST \/batch/);
  await page.getByRole("link", { name: "gone-1", exact: true }).click();
  await page.getByRole("heading", { name: "gone-1", exact: true }).waitFor();
  await page.locator(".row.entry").first().waitFor();
  await api("DELETE", "/flowrun/gone-1");
  await page.getByText("This run was deleted. What you see is its last state.").waitFor();
  await page.locator(".row.entry").first().waitFor();
  await close(page);
});

const SCREENS = {
  list: ["#/runs?cols=name,flow,version,status,begun,ended,labels,moves", "grid"],
  history: ["#/runs/many-1?entry=9000", "grid"],
  items: ["#/runs/many-1?tab=items", "application"],
  calls: ["#/runs/mother-1?tab=calls&side=cost", "list"],
  data: ["#/runs/keep-1?side=data", "group"],
  timeline: ["#/runs/pair-1?side=timeline", "grid"],
  compare: ["#/compare/pair-1/pair-2", "table"],
  choice: ["#/compare/pair-1", "list"],
  batches: ["#/batch", "table"],
};

for (const theme of ["light", "dark"])
  test(`accessible and narrow: axe finds nothing, nothing scrolls sideways, ${theme}`, async () => {
    const page = await open("#/settings", { theme });
    const found = [];
    for (const [name, [place, role]] of Object.entries(SCREENS)) {
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto(`${url}/${place}`);
      await page.locator("main").getByRole(role).first().waitFor();
      await page.waitForTimeout(200);
      await shot(page, `${name}-${theme}`);
      await page.evaluate(axe);
      const result = await page.evaluate(() => window.axe.run({ exclude: ["header.frame"] }, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
      for (const one of result.violations) found.push(`${name}: ${one.id} ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`);
      await page.setViewportSize({ width: 360, height: 800 });
      await page.waitForTimeout(100);
      await shot(page, `${name}-${theme}-narrow`);
      if (await page.evaluate(() => document.documentElement.scrollWidth > 360)) found.push(`${name} is wider than 360 pixels`);
    }
    assert.deepEqual(found, []);
    await page.context().close();
  });
