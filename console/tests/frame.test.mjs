// The frame of all screens: servers and tokens, namespaces, keys, palette, terminal; flows, health, start; refusals.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { seed } from "./seed.mjs";
import { admin, api, close, open, until, url } from "./support.mjs";

const { CONSOLE_ORIGIN: origin, CONSOLE_OTHER: other, PYTHON: python } = process.env;
const BUILT = fileURLToPath(new URL("../../chalicelib/console/", import.meta.url));
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css" };
const started = [];
const tokens = {};

before(async () => {
  await seed();
  for (const role of ["viewer", "clerk", "author"]) tokens[role] = (await api("POST", "/token", { name: role, role })).token;
  await api("POST", "/fsl", undefined, {
    text: `flow typed
    input = (int count, map options, list names = [], secret str pin, bool fast = false);
    wait Rest => (DONE -> done) { for = 1h; };
flow_end
/
flow short
    wait Rest => (DONE -> done) { for = 20s; };
flow_end
/
flow around
    call Inner => (DONE -> done | STOPPED -> stopped) { flow = slow; };
flow_end`,
  });
});

after(() => Promise.all(started.map((stop) => stop())));

/** A call in another namespace. */
async function inNamespace(namespace, method, path, body, text) {
  const headers = { authorization: `Bearer ${admin}`, "x-echoer-namespace": namespace, "content-type": text ? "text/plain" : "application/json" };
  const response = await fetch(url + path, { method, headers, body: text ?? (body && JSON.stringify(body)) });
  assert.ok(response.ok, await response.clone().text());
  return response.json();
}

/** The console as a bucket serves it: files with the addresses of its servers in the page, and a policy that names them. */
async function bucket() {
  const page = (await readFile(`${BUILT}index.html`, "utf8")).replace('name="echoer-servers" content=""', `name="echoer-servers" content="${url} ${other}"`);
  const policy = `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src ${url} ${other}; require-trusted-types-for 'script'; trusted-types 'none'`;
  return listen(new URL(origin).port, async (asked, answer) => {
    const path = new URL(asked.url, origin).pathname;
    const text = path === "/" ? page : await readFile(BUILT + path.slice(1), "utf8").catch(() => null);
    answer.writeHead(text === null ? 404 : 200, { "content-type": TYPES[path.split(".").pop()] ?? "text/html", "content-security-policy": policy });
    answer.end(text ?? "");
  });
}

/** The server below `/api/`, as behind a proxy or a stage of API Gateway. */
async function prefixed() {
  const port = await listen(0, (asked, answer) => {
    if (!asked.url.startsWith("/api/")) return answer.writeHead(404).end();
    const to = request(url + asked.url.slice(4), { method: asked.method, headers: { ...asked.headers, host: new URL(url).host } }, (found) => {
      answer.writeHead(found.statusCode, found.headers);
      found.pipe(answer);
    });
    asked.pipe(to);
  });
  return `http://127.0.0.1:${port}/api/`;
}

async function listen(port, handle) {
  const server = createServer(handle);
  await new Promise((next) => server.listen(port, "127.0.0.1", next));
  started.push(() => new Promise((next) => (server.closeAllConnections(), server.close(next))));
  return server.address().port;
}

/** Start another server of the same kind, without tokens, that permits pages of these origins. */
async function otherServer(origins) {
  const environment = { ...process.env, ECHOER_PORT: new URL(other).port, ECHOER_DB: ":memory:", ECHOER_ORIGINS: origins, ECHOER_LOG: "error" };
  const child = spawn(python, ["-c", "from fsl.cli.main import main; main()", "local"], { cwd: fileURLToPath(new URL("../..", import.meta.url)), env: environment, stdio: "ignore" });
  const ended = new Promise((next) => child.on("exit", next));
  started.push(() => (child.kill(), ended));
  await until(async () => (await fetch(`${other}/healthz`).catch(() => null))?.ok, 40);
  await fetch(`${other}/fsl`, { method: "POST", headers: { "content-type": "text/plain" }, body: "flow elsewhere set A => (DONE -> done); flow_end" });
  await fetch(`${other}/flow/elsewhere/runs`, { method: "POST", body: JSON.stringify({ name: "far-1" }) });
}

async function signIn(page, token) {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("namespaces: a switch shows nothing of the other one, in another colour", async () => {
  await inNamespace("second", "POST", "/fsl", undefined, "flow beta wait W => (DONE -> done) { for = 1h; }; flow_end");
  await inNamespace("second", "POST", "/flow/beta/runs", { name: "b-1" });
  const page = await open("#/runs/o-2?side=data");
  await page.getByRole("heading", { name: "o-2", exact: true }).waitFor();
  const colour = () => page.locator("header.frame").evaluate((one) => getComputedStyle(one).borderTopColor);
  const before_ = await colour();
  await page.waitForLoadState("networkidle");
  const asked = [];
  await page.getByRole("button", { name: "Namespace default" }).click();
  await page.getByRole("combobox", { name: "Namespace" }).fill("second");
  page.on("request", (one) => one.url().includes("/flowrun") && asked.push(one.headers()["x-echoer-namespace"] ?? ""));
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "b-1", exact: true }).waitFor();
  assert.match(page.url(), /#\/runs$/);
  assert.equal(await page.getByText("o-2").count(), 0);
  assert.notEqual(await colour(), before_);
  assert.deepEqual([...new Set(asked)], ["second"]);
  await page.getByRole("link", { name: "Flows" }).click();
  await page.getByRole("link", { name: "beta", exact: true }).waitFor();
  assert.equal(await page.getByText("order").count(), 0);
  await close(page);
});

test("a clerk begins in the inbox, and the palette offers nothing else", async () => {
  const page = await open("#/", { token: tokens.clerk });
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("option", { name: "Inbox" }).waitFor();
  const groups = await page.locator("ul.palette .faint").allTextContents();
  assert.deepEqual([...new Set(groups)].sort(), ["Commands", "Screens"]);
  assert.equal(await page.getByRole("option", { name: "Runs" }).count(), 0);
  await close(page);
});

test("another origin: the console of a bucket signs in, keeps two servers apart and shows which one is used", async () => {
  await bucket();
  await otherServer(origin);
  const page = await open("#/", { token: null });
  const sent = [];
  page.on("request", (one) => one.url().startsWith(other) && sent.push(one.headers()["authorization"] ?? ""));
  await page.goto(`${origin}/#/runs`);
  await signIn(page, admin);
  await page.getByRole("link", { name: "o-1", exact: true }).waitFor();
  await page.getByRole("button", { name: /admin/ }).click();
  await page.getByRole("menuitem", { name: "Another server or token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Server").selectOption(other);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "far-1", exact: true }).waitFor();
  assert.equal(await page.getByText("o-1").count(), 0);
  assert.equal(await page.locator("header .server").textContent(), new URL(other).host);
  await page.getByRole("link", { name: "far-1", exact: true }).click();
  await page.getByRole("heading", { name: "far-1", exact: true }).waitFor();
  await page.locator("header .drop > button").click();
  await page.getByRole("menuitemradio", { name: new RegExp(new URL(url).host) }).click();
  await page.getByRole("link", { name: "o-1", exact: true }).waitFor();
  assert.equal(await page.getByText("far-1").count(), 0);
  assert.ok(sent.length > 0 && sent.every((one) => one === ""), "the token of one server was sent to another one");
  assert.equal(await page.evaluate(() => localStorage.getItem("echoer.identities")), null);
  await close(page);
});

test("a server may name others that its page may call; one that does not permit the page is reported", async () => {
  const page = await open("#/runs");
  await page.getByRole("link", { name: "o-1", exact: true }).waitFor();
  await page.locator("header .drop > button").click();
  await page.getByRole("menuitem", { name: "Another server or token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Server").selectOption("other");
  await dialog.getByLabel("Address").fill("ftp://nowhere");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.getByText("This is no address of a server").waitFor();
  await dialog.getByLabel("Server").selectOption(other);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.getByText(/cannot be reached/).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "o-1", exact: true }).waitFor();
  await close(page);
});

test("below /api/ everything works", async () => {
  const address = await prefixed();
  const page = await open("#/", { token: null });
  await page.goto(`${address}#/runs`);
  await signIn(page, admin);
  await page.getByRole("link", { name: "o-2", exact: true }).click();
  await page.getByRole("button", { name: "Retry from Charge" }).first().waitFor();
  await page.goto(`${address}#/start/order`);
  await page.getByText("The same from a terminal").click();
  await page.getByText(`${address}flow/order/runs`).first().waitFor();
  await page.goto(`${address}#/edit?flow=order`);
  await page.locator(".editor .cm-content").waitFor();
  await close(page);
});

test("palette: screens, runs by name, flows and commands; single keys can be switched off", async () => {
  const page = await open("#/settings");
  await page.locator("main form").waitFor();
  const choose = async (text, name) => {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: /Screen, run/ }).fill(text);
    await page.getByRole("option", { name }).first().waitFor();
  };
  await choose("o-", "o-3 order · running");
  await page.getByRole("option", { name: "o-3 order · running" }).click();
  await page.getByRole("heading", { name: "o-3", exact: true }).waitFor();
  await choose("heal", "Health Screens");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Health", exact: true }).waitFor();
  await choose("start sl", "Start slow");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Start slow@1" }).waitFor();
  await choose("list flow", "Type in the terminal: list flow");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Terminal" }).waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Command" }).inputValue(), "list flow");
  await page.locator("header .product").focus();
  await page.keyboard.press("g");
  await page.keyboard.press("f");
  await page.getByRole("heading", { name: "Flows" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("Go to Runs").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.getByLabel("Shortcuts of single keys").uncheck();
  await page.locator("header .product").focus();
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await page.keyboard.press("?");
  assert.match(page.url(), /settings/);
  assert.equal(await page.getByRole("dialog").count(), 0);
  await choose("runs", "Runs Screens");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await close(page);
});

test("terminal: a command, its completion, what was sent before, an error; a viewer has none", async () => {
  const page = await open("#/terminal");
  const field = page.getByRole("textbox", { name: "Command" });
  await field.fill("hist");
  await page.getByRole("button", { name: "history", exact: true }).waitFor();
  await field.press("Tab");
  await page.getByText("history RUN", { exact: true }).waitFor();
  await field.pressSequentially("o-3");
  await field.press("Enter");
  await page.locator(".output pre").getByText("RunStarted").waitFor();
  await field.fill("get nothing");
  await field.press("Enter");
  await page.locator(".output.failed pre").waitFor();
  await field.press("ArrowUp");
  await field.press("ArrowUp");
  assert.equal(await field.inputValue(), "history o-3");
  await close(page);
  const viewer = await open("#/terminal", { token: tokens.viewer });
  await viewer.getByRole("textbox", { name: "Command" }).fill("help");
  assert.match(await viewer.getByRole("button", { name: "Send" }).getAttribute("title"), /POST \/command/);
  await close(viewer);
});

test("flow: coverage and live runs over the diagram, steps in words, what uses it, why it is not deleted", async () => {
  const page = await open("#/flows/order");
  await page.locator(".diagram svg").waitFor();
  await page.getByRole("button", { name: "coverage", exact: true }).click();
  await page.getByText("2 of 7 routes taken by the newest 4 runs").waitFor();
  assert.equal(await page.locator(".diagram text.never").count(), 5);
  await page.getByRole("button", { name: "live runs", exact: true }).click();
  await page.locator(".diagram .there").waitFor();
  assert.equal((await page.locator(".diagram .there").textContent()).trim(), "2");
  await page.getByRole("tab", { name: "Coverage" }).click();
  await page.getByRole("row", { name: /Review AGREE Charge/ }).getByText("never taken").waitFor();
  await page.getByRole("row", { name: /Size else Charge/ }).getByText("2 times").waitFor();
  await page.getByRole("tab", { name: "Steps" }).click();
  await page.getByText("Waits for AGREE or REJECT from a person (review), for at most 1d. AGREE leads to Charge. REJECT or no answer in time stops the run.").waitFor();
  await page.goto(`${url}/#/flows/slow?tab=used`);
  await page.getByRole("link", { name: "around flow version 1" }).waitFor();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByText(/flow 'around'/).waitFor();
  await page.keyboard.press("Escape");
  await page.goto(`${url}/#/runs/o-3`);
  await page.getByText(/waits for AGREE or REJECT from a person until .*, then stops/).waitFor();
  await close(page);
});

test("health: repair lists what would be sent again; what is due counts down", async () => {
  await api("POST", "/flow/short/runs", { name: "short-1" });
  const page = await open("#/settings");
  const finding = (ailment, cured) => ({ ailment, run: "s-1", step: "Rest", uuid: "u", since: "2026-01-01T00:00:00Z", detail: `about ${ailment}`, cured });
  await page.route("**/doctor?*", (route) => route.fulfill({ json: { findings: [finding("alarm", false), finding("failed", false)], looked_at: 1000, complete: false } }));
  await page.route("**/doctor/repair", (route) => route.fulfill({ json: { findings: [finding("alarm", true), finding("failed", false)], looked_at: 1000, complete: false } }));
  await page.goto(`${url}/#/health`);
  await page.getByText("looked at 1,000 runs in progress, more exist").waitFor();
  const due = page.locator(".due li", { hasText: "short-1" }).locator("time");
  await due.waitFor();
  const seconds = async () => Number.parseInt(await due.textContent(), 10);
  const first = await seconds();
  assert.ok(first <= 20, `${first}`);
  await until(async () => (await seconds()) < first);
  await page.getByRole("img", { name: /Next 24 hours: \d+ deadlines/ }).waitFor();
  await page.getByRole("button", { name: "Repair" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("1 message would be sent again").waitFor();
  assert.equal(await dialog.getByText("about failed").count(), 0);
  await dialog.getByRole("button", { name: "Repair" }).click();
  await dialog.getByText("1 repaired", { exact: true }).waitFor();
  await close(page);
});

test("now: a tile that fails does not hide the others", async () => {
  const page = await open("#/settings");
  await page.route("**/doctor?*", (route) => route.fulfill({ status: 500, json: { message: "the doctor is away", error: { code: "internal" } } }));
  await page.goto(`${url}/#/`);
  await page.locator(".tile.overdue").getByText("the doctor is away").waitFor();
  await page.locator(".tile.failed strong", { hasText: "2" }).waitFor();
  await page.locator(".tile.people strong", { hasText: "2" }).waitFor();
  await page.keyboard.press("1");
  await page.waitForURL(/#\/runs\?status=failed&since=24h/);
  await close(page);
});

test("start: wrong values are shown at their fields, here and by the server; the key gives the same run", async () => {
  const page = await open("#/start/typed");
  const field = (name) => page.locator("form.form > label", { hasText: name });
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await field("count").getByText("required", { exact: true }).waitFor();
  await field("count").locator("input").fill("1.5");
  await field("count").getByText("This is no whole number.").waitFor();
  await field("count").locator("input").fill("3");
  await field("options").locator("textarea").fill("[1]");
  await field("options").getByText("This is no JSON object.").waitFor();
  await field("options").locator("textarea").fill('{"a": 1}');
  await field("names").locator("textarea").fill('["x"]');
  await field("pin").locator("input").fill("s3cr3t-pin");
  await page.getByText("The same from a terminal").click();
  assert.equal(await page.getByText("s3cr3t-pin").count(), 0);
  await page.getByLabel(/^Key: /).fill("once");
  await page.getByLabel("Name", { exact: true }).fill("typed-1");
  await page.route("**/flow/typed/runs", (route) => route.fulfill({ status: 422, json: { message: "the input does not fit", error: { code: "input-refused", fields: [{ path: "options", problem: "must have a colour" }] } } }));
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await field("options").getByText("must have a colour").waitFor();
  await page.unroute("**/flow/typed/runs");
  await page.getByRole("button", { name: "Start, and stay here" }).click();
  await page.getByText("typed-1 has begun.").waitFor();
  assert.equal(await field("pin").locator("input").inputValue(), "");
  await field("pin").locator("input").fill("s3cr3t-pin");
  await page.keyboard.press("Control+Enter");
  await page.getByText("The key gave the run that was started before:").waitFor();
  assert.equal((await api("GET", "/flowrun?flow=typed&view=summary")).length, 1);
  assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }).includes("s3cr3t-pin")), false);
  await page.goto(`${url}/#/start/typed?like=typed-1`);
  await page.getByText("like typed-1: its input was copied").waitFor();
  assert.equal(await field("options").locator("textarea").inputValue(), '{\n  "a": 1\n}');
  assert.equal(await field("pin").locator("input").inputValue(), "");
  await page.getByRole("button", { name: "Play instead" }).click();
  await page.waitForURL(/#\/play\/typed/);
  await close(page);
});

test("refusals: each is shown with the server's words, its code and what to do", async () => {
  const page = await open("#/runs");
  const row = page.getByRole("link", { name: "o-1", exact: true });
  await row.waitFor();
  const refuse = async (status, code, headers = {}) => {
    await page.route("**/flowrun?*", (route) => route.fulfill({ status, headers: { "x-request-id": "req-7", ...headers }, json: { message: `message of ${code}`, error: { code } } }));
    await page.goto(`${url}/#/runs?since=1h&n=${status}`);
  };
  for (const [status, code] of [[403, "forbidden"], [404, "not-found"], [409, "conflict"], [413, "too-large"], [422, "invalid"]]) {
    await refuse(status, code);
    const alert = page.getByRole("alert");
    await alert.getByText(`message of ${code}`).waitFor();
    await alert.getByText(`${code} · HTTP ${status} · req-7`).waitFor();
    await page.unroute("**/flowrun?*");
    await alert.getByRole("button", { name: "Try again" }).click();
    await row.waitFor();
    await page.goto(`${url}/#/settings`);
    await page.locator("main form").waitFor();
  }
  await refuse(429, "too-many-requests", { "retry-after": "2" });
  await page.getByRole("button", { name: "Trying again in 2 s" }).waitFor();
  await page.getByRole("button", { name: "Trying again in 1 s" }).waitFor();
  await page.unroute("**/flowrun?*");
  await row.waitFor();
  await close(page);
});

test("a token that is revoked leads to the sign-in, and back to the same place", async () => {
  const { token, id } = await api("POST", "/token", { name: "short", role: "operator" });
  const page = await open("#/runs?status=failed", { token });
  await page.getByRole("link", { name: "o-1", exact: true }).waitFor();
  await api("DELETE", `/token/${id}`);
  await page.getByRole("link", { name: "Inbox" }).click();
  await page.route("**/task?*", (route) => route.fulfill({ status: 401, json: { message: "the token was revoked", error: { code: "unauthorized" } } }));
  await page.goto(`${url}/#/settings`);
  await page.goto(`${url}/#/inbox`);
  await page.getByText("Your token is not valid any more").waitFor();
  await page.unroute("**/task?*");
  await signIn(page, tokens.author);
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  assert.match(page.url(), /#\/inbox/);
  await close(page);
});

test("offline: a banner instead of a spinner, what was read stays, and the page goes on by itself", async () => {
  const page = await open("#/runs");
  const row = page.getByRole("link", { name: "o-1", exact: true });
  await row.waitFor();
  await page.context().setOffline(true);
  await page.getByRole("status").getByText("cannot be reached").waitFor();
  assert.ok(await row.isVisible());
  assert.equal(await page.locator(".skeleton").count(), 0);
  await page.context().setOffline(false);
  await page.getByRole("status").getByText("cannot be reached").waitFor({ state: "detached" });
  await close(page);
});

test("slow: rows that are not there yet are shown as such; an empty namespace says how to begin", async () => {
  const page = await open("#/settings");
  await page.locator("main form").waitFor();
  let go;
  const held = new Promise((next) => (go = next));
  await page.route("**/flowrun?*", async (route) => (await held, route.continue()));
  await page.goto(`${url}/#/runs`);
  await page.locator(".skeleton").waitFor();
  go();
  await page.getByRole("link", { name: "o-1", exact: true }).waitFor();
  await page.getByRole("button", { name: "Namespace default" }).click();
  await page.getByRole("combobox", { name: "Namespace" }).fill("empty");
  await page.keyboard.press("Enter");
  await page.getByText("No runs yet").waitFor();
  for (const [place, text] of [["flows", "No flow is defined here"], ["inbox", "Nothing waits for you"], ["health", "Nothing is stuck among 0 runs in progress"], ["", "No runs yet"]]) {
    await page.goto(`${url}/#/${place}`);
    await page.getByText(text).first().waitFor();
  }
  await close(page);
});

test("inbox: an answer that a person leaves is sent; without time to take it back it is sent at once", async () => {
  const page = await open("#/settings");
  await page.goto(`${url}/#/inbox`);
  await page.getByRole("button", { name: /Review.*o-3/ }).click();
  await page.getByRole("button", { name: /Reject/ }).click();
  await page.getByRole("button", { name: /Undo/ }).waitFor();
  await page.getByRole("link", { name: "Flows" }).click();
  await until(async () => (await api("GET", "/flowrun/o-3")).spec.status !== "running");
  await page.goto(`${url}/#/settings`);
  await page.getByLabel(/can be taken back for/).selectOption("0");
  await page.goto(`${url}/#/inbox`);
  await page.getByRole("button", { name: /Review.*o-4/ }).click();
  await page.getByRole("button", { name: /Reject/ }).click();
  await page.getByText("Answered: Reject").waitFor();
  await close(page);
});

test("a screen whose file is gone says so", async () => {
  const page = await open("#/settings");
  await page.locator("main form").waitFor();
  await page.route("**/console/terminal-*.js", (route) => route.fulfill({ status: 404, body: "" }));
  await page.goto(`${url}/#/terminal`);
  await page.getByText("the console was updated").waitFor();
  page.problems = page.problems.filter((one) => !/dynamically imported/.test(one));
  await page.getByRole("link", { name: "Flows" }).click();
  await page.getByRole("heading", { name: "Flows" }).waitFor();
  await close(page);
});
