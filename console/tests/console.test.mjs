// The console in a browser, over a live server. The scenarios are those of one day: look, repair, answer, design.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { FLOWS, seed } from "./seed.mjs";
import { admin, api, close, open, service, until, url } from "./support.mjs";

const tokens = {};

before(async () => {
  for (const role of ["viewer", "clerk", "operator", "author"]) tokens[role] = (await api("POST", "/token", { name: role, role })).token;
  await seed();
});

test("sign in: a wrong token is refused, the right one leads to the place that was asked for", async () => {
  const page = await open("#/runs?status=failed", { token: null });
  await page.getByLabel("Token").fill("ech_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Token").fill(admin);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "o-1" }).waitFor();
  assert.match(page.url(), /status=failed/);
  assert.equal(await page.evaluate(() => localStorage.getItem("echoer.session")), null);
  await close(page);
});

test("roles: a clerk sees the inbox only, a viewer may not retry and is told why", async () => {
  const clerk = await open("#/inbox", { token: tokens.clerk });
  await clerk.getByRole("heading", { name: "Inbox" }).waitFor();
  assert.deepEqual(await clerk.locator("header nav a").allTextContents(), ["Inbox"]);
  await close(clerk);
  const viewer = await open("#/runs/o-1", { token: tokens.viewer });
  const retry = viewer.getByRole("button", { name: "Retry from Charge" }).first();
  await retry.waitFor();
  assert.ok(await retry.isDisabled());
  assert.match(await retry.getAttribute("title"), /POST \/flowrun/);
  await close(viewer);
});

test("runs: filters are in the address, work on the server, and go back", async () => {
  const page = await open("#/runs");
  await page.getByRole("link", { name: "s-1", exact: true }).waitFor();
  await page.getByLabel("Status", { exact: true }).selectOption("failed");
  await page.getByRole("link", { name: "s-1", exact: true }).waitFor({ state: "detached" });
  assert.match(page.url(), /status=failed/);
  await page.locator("[data-find]").fill("team:a");
  await page.locator("[data-find]").press("Enter");
  await page.getByText("label: team:a").waitFor();
  await page.goBack();
  await page.goBack();
  await page.getByRole("link", { name: "s-1", exact: true }).waitFor();
  await page.locator("[data-find]").fill("o-2");
  await page.locator("[data-find]").press("Enter");
  await page.getByRole("heading", { name: "o-2", exact: true }).waitFor();
  await close(page);
});

test("runs: nothing matches, and the page says which filter to drop", async () => {
  const page = await open("#/runs?flow=order&status=paused");
  await page.getByText("No run matches").waitFor();
  await page.getByRole("link", { name: "without status: paused" }).click();
  await page.getByRole("link", { name: "o-1", exact: true }).waitFor();
  await close(page);
});

test("a failed run says why and where; when its action is mended, retry leads to the end", async () => {
  const page = await open("#/runs/o-1");
  await page.getByRole("heading", { name: "Why it failed at Charge" }).waitFor();
  await page.getByText("step Charge => (PAID -> done").waitFor();
  await page.locator(".entry", { hasText: "DeliveryFailed" }).first().click();
  await page.getByText("nowhere").first().waitFor();
  await page.goto(`${url}/#/edit?action=charge`);
  const editor = page.locator(".editor .cm-content");
  await editor.waitFor();
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(`action charge addr = "${service}/answer"; args = (str order); return = (PAID | REFUSED); action_end`);
  await page.getByRole("button", { name: /Review changes \(1\)/ }).click();
  await page.getByText(`+ action charge addr = "${service}/answer"`).waitFor();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/kind=action/);
  await page.goto(`${url}/#/runs/o-1`);
  await page.getByRole("button", { name: "Retry from Charge" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("The same from a terminal").click();
  await dialog.getByText("fsl retry o-1").waitFor();
  await dialog.getByRole("button", { name: "Retry", exact: true }).click();
  await dialog.getByText(/Done\./).waitFor();
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await page.locator(".title .badge.succeeded").waitFor();
  await close(page);
});

test("a run is paused, continued and stopped; what it waits for is said", async () => {
  const page = await open("#/runs/s-1");
  await page.getByText(/waits for a time/).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await page.getByRole("dialog").getByText("The run is paused now.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Continue" }).click();
  await page.getByRole("dialog").getByText("The run is running now.").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("More", { exact: true }).last().click();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByLabel("Reason").fill("enough of it");
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await page.getByRole("dialog").getByText(/Done/).waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("enough of it").first().waitFor();
  await close(page);
});

test("a command over selected runs tells the outcome of each", async () => {
  const page = await open("#/runs?flow=order");
  await page.getByRole("checkbox", { name: "o-2" }).check();
  await page.getByRole("checkbox", { name: "o-3" }).check();
  await page.getByRole("toolbar").getByRole("button", { name: "Retry" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "What would happen?" }).click();
  await page.getByText("1 would be done, 1 refused, of 2").waitFor();
  assert.equal((await api("GET", "/flowrun/o-2")).spec.status, "failed");
  await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
  await page.waitForURL(/#\/batch\//);
  await page.getByText("1 done, 1 refused, of 2").waitFor();
  await page.getByRole("link", { name: "o-3" }).waitFor();
  await close(page);
});

test("a live run shows each move without a reload", async () => {
  await api("POST", "/flow/slow/runs", { name: "s-live" });
  const page = await open("#/runs/s-live");
  await page.getByText("1 / 1").waitFor();
  await api("POST", "/flowrun/s-live/vars", { vars: { seen: true } });
  await page.getByText("2 / 2").waitFor({ timeout: 5000 });
  await close(page);
});

test("inbox: what is asked in words, an answer with a note, and somebody who was faster", async () => {
  const page = await open("#/inbox", { token: tokens.clerk });
  await page.getByRole("button", { name: /Review.*o-3/ }).click();
  await page.getByText("5,000").waitFor();
  await page.getByText("What happens").waitFor();
  await page.getByLabel("Note").fill("checked");
  await page.getByRole("button", { name: /Agree/ }).click();
  await page.getByRole("button", { name: "Send now" }).click();
  await page.getByText("Answered: Agree").waitFor();
  await until(async () => (await api("GET", "/flowrun/o-3")).spec.status === "succeeded");
  await page.getByRole("button", { name: /Review.*o-4/ }).click();
  await page.getByRole("button", { name: /Reject/ }).waitFor();
  const [task] = (await api("GET", "/task")).filter((one) => one.flowId === "o-4");
  await api("POST", "/step", { flowId: task.flowId, stepName: task.stepName, uuid: task.uuid, ackState: "REJECT", done: true });
  await page.keyboard.press("r");
  const send = page.getByRole("button", { name: "Send now" });
  if (await send.isVisible().catch(() => false)) {
    await send.click();
    await page.getByText(/Somebody answered before you|Nothing waits for you/).first().waitFor();
  }
  await close(page);
});

test("edit: problems as typed, a fix, the last diagram stays, the draft survives a reload", async () => {
  const page = await open("#/edit?flow=order");
  const editor = page.locator(".editor .cm-content");
  await editor.waitFor();
  await page.getByText("0 errors, 0 warnings").waitFor();
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  const text = FLOWS.split("\n/\n")[3];
  await page.keyboard.insertText(text.replace("AGREE -> Charge", "AGREE -> Chrage"));
  await page.getByText(/'Chrage'/).first().waitFor();
  await page.getByRole("button", { name: "Change to Charge" }).click();
  await page.getByText("0 errors, 0 warnings").waitFor();
  await page.keyboard.press("Control+End");
  await editor.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.insertText("\n/\nflow (");
  await page.getByText(/[1-9] errors?/).waitFor();
  assert.ok(await page.locator(".diagram svg").first().isVisible());
  await page.reload();
  await page.locator(".editor .cm-content").getByText("flow (").waitFor();
  await page.evaluate(() => localStorage.clear());
  await close(page);
});

test("save: a definition that somebody changed meanwhile is not overwritten", async () => {
  const page = await open("#/edit?flow=slow");
  const editor = page.locator(".editor .cm-content");
  await editor.waitFor();
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText("flow slow wait Rest => (DONE -> done) { for = 3h; }; flow_end");
  await page.getByRole("button", { name: /Review changes \(1\)/ }).click();
  await page.getByText("+ flow slow wait Rest").waitFor();
  await api("POST", "/fsl", undefined, { text: "flow slow wait Rest => (DONE -> done) { for = 2h; }; flow_end" });
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  assert.match((await api("GET", "/flow/slow")).spec.fsl ?? JSON.stringify(await api("GET", "/flow/slow")), /2h/);
  await page.evaluate(() => localStorage.clear());
  await close(page);
});

test("play: a person, a failure, time and back, on a virtual clock", async () => {
  const page = await open("#/play/order");
  await page.locator("form input").first().fill("o-9");
  await page.locator("form input").nth(1).fill("5000");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await page.getByRole("button", { name: /AGREE/ }).click();
  await page.getByRole("button", { name: "Fails: 503" }).click();
  await page.getByRole("button", { name: /is tried again/ }).click();
  await page.getByText("delivery 2").waitFor();
  await page.getByRole("button", { name: /PAID/ }).click();
  await page.locator(".badge.succeeded").waitFor();
  await page.getByRole("button", { name: /Back/ }).click();
  await page.getByText("delivery 2").waitFor();
  assert.equal((await api("GET", "/flowrun?name_prefix=run&view=summary")).length, 0);
  await close(page);
});

test("start: a typed form, a wrong value at its field, and the run", async () => {
  const page = await open("#/start/order");
  const fields = page.locator("form.form > label input");
  await fields.nth(0).fill("o-new");
  await fields.nth(1).fill("many");
  await page.getByText("This is no number.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Start", exact: true }).isDisabled());
  await fields.nth(1).fill("12.5");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.waitForURL(/#\/runs\//);
  await page.locator(".title .badge").waitFor();
  await close(page);
});

test("secrets: no clear text in the page, its storage or what it reads", async () => {
  const page = await open("#/runs/sealed-1?side=data");
  const read = [];
  page.on("response", async (response) => read.push(await response.text().catch(() => "")));
  await page.reload();
  await page.getByRole("tab", { name: "History" }).click();
  await page.locator(".entry").first().click();
  await page.waitForTimeout(300);
  const seen = [await page.content(), await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])), ...read].join("\n");
  assert.ok(!seen.includes("s3cr3t-of-the-bank"));
  await close(page);
});

test("a server that fails is told, and the page tries again", async () => {
  const page = await open("#/runs");
  await page.getByRole("link", { name: "o-1", exact: true }).waitFor();
  await page.route("**/flowrun?*", (route) => route.fulfill({ status: 503, headers: { "retry-after": "1" }, json: { message: "the store is away", error: { code: "service-error" } } }));
  await page.getByLabel("Status", { exact: true }).selectOption("failed");
  await page.getByText("the store is away").waitFor();
  await page.unroute("**/flowrun?*");
  await page.getByRole("grid", { name: "Runs" }).or(page.getByText("No run matches")).first().waitFor();
  await close(page);
});

test("tokens: one is made with an end, shown once, and revoked", async () => {
  const page = await open("#/admin?tab=tokens");
  await page.getByLabel("Name").fill("ci");
  await page.getByRole("button", { name: "Make" }).click();
  const text = await page.getByRole("dialog").locator("pre").textContent();
  assert.match(text, /^ech_/);
  assert.equal((await api("GET", "/me", undefined, { token: text })).role, "operator");
  await page.getByRole("button", { name: "I have it" }).click();
  const row = page.getByRole("row", { name: /^ci / });
  await row.getByText(/in \d+ days|in 1 month|next month/).waitFor();
  await row.getByRole("button", { name: "Revoke" }).click();
  await row.getByText("revoked").waitFor();
  assert.equal(await row.getByRole("button").count(), 0);
  await close(page);
});

test("keyboard only: from the list to a retried run", async () => {
  await api("POST", "/fsl", undefined, { text: `action charge addr = "${service}/nowhere"; args = (str order); return = (PAID | REFUSED); action_end` });
  await api("POST", "/flow/order/runs", { name: "k-1", input: { order: "k-1" } });
  await until(async () => (await api("GET", "/flowrun/k-1")).spec.status === "failed");
  const page = await open("#/");
  await page.locator("main h1").waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await page.getByRole("link", { name: "k-1", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Retry from Charge" }).first().focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Retry", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText(/Done\./).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await close(page);
});

test("a newcomer: write a flow, play it, save it, start it, answer it, break it, mend it, retry it", async () => {
  const page = await open("#/edit");
  const editor = page.locator(".editor .cm-content");
  await editor.waitFor();
  await page.getByText("0 errors").waitFor();
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  const text = `action look method = human; args = (str what); return = (YES | NO); timeout = 1d; action_end
/
action tell addr = "${service}/gone"; args = (str what); return = (TOLD); action_end
/
flow newcomer
    input = (str what);
    deci Look => (YES -> Tell | NO -> stopped | TIMEOUT -> stopped) { action = look; args = (what = \${ $input.what }); };
    step Tell => (TOLD -> done) { action = tell; args = (what = \${ $input.what }); };
flow_end`;
  await page.keyboard.insertText(text);
  await page.getByText("0 errors, 0 warnings").waitFor();
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await page.locator("form input").first().fill("the house");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await page.getByRole("button", { name: /YES/ }).click();
  await page.getByRole("button", { name: /TOLD/ }).click();
  await page.locator(".play .badge.succeeded").waitFor();
  await page.getByRole("button", { name: /Review changes \(3\)/ }).click();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/#\/flows\/newcomer/);
  await page.getByRole("link", { name: "Start" }).click();
  await page.locator("form.form > label input").first().fill("the house");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.waitForURL(/#\/runs\//);
  const name = decodeURIComponent(page.url().split("#/runs/")[1]);
  await page.getByRole("link", { name: "Answer" }).click();
  await page.getByRole("button", { name: /Yes/ }).click();
  await page.getByRole("button", { name: "Send now" }).click();
  await until(async () => (await api("GET", `/flowrun/${name}`)).spec.status === "failed");
  await page.goto(`${url}/#/runs/${name}`);
  await page.getByRole("heading", { name: "Why it failed at Tell" }).waitFor();
  await page.goto(`${url}/#/edit?action=tell`);
  await page.locator(".editor .cm-content").getByText("gone").waitFor();
  await page.locator(".editor .cm-content").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(`action tell addr = "${service}/answer"; args = (str what); return = (TOLD); action_end`);
  await page.getByRole("button", { name: /Review changes \(1\)/ }).click();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/#\/flows/);
  await page.goto(`${url}/#/runs/${name}`);
  await page.getByRole("button", { name: "Retry from Tell" }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry", exact: true }).click();
  await page.getByRole("dialog").getByText(/Done\./).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".title .badge.succeeded").waitFor();
  await close(page);
});
