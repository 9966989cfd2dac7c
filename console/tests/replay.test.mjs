// Plays as tests, replays of recorded runs, what happens if nothing is done, and the scrubber.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { api, axe, close, open, shots, until } from "./support.mjs";

const FLOW = `action judge method = human; args = (float amount); return = (AGREE | REJECT); timeout = 2d; action_end
/
action pay addr = "http://127.0.0.1:9/pay"; args = (float amount); return = (PAID | BAD); retry = (max = 2, delay = 10s); timeout = 1d; action_end
/
flow claim
    input = (float amount);
    vars  = (note = null);
    step Judge => (AGREE -> Pay | REJECT -> stopped | TIMEOUT -> stopped) { action = judge; args = (amount = \${ $input.amount }); save = (note = \${ $result.note }); };
    step Pay   => (PAID -> Rest | BAD -> stopped | TIMEOUT -> stopped | ERROR -> stopped) { action = pay; args = (amount = \${ $input.amount }); };
    wait Rest  => (DONE -> done) { for = 30d; };
flow_end`;

before(async () => {
  await api("POST", "/fsl", undefined, { text: FLOW });
  for (const name of ["c-live", "c-refused"]) await api("POST", "/flow/claim/runs", { name, input: { amount: 7.5 } });
  await api("POST", "/step", { flowId: "c-refused", stepName: "Judge", ackState: "REJECT", done: true, data: { note: "no receipt" }, uuid: await uuidOf("c-refused") });
  await until(async () => (await api("GET", "/flowrun/c-refused?view=summary")).spec.status === "failed");
});

async function uuidOf(run) {
  return (await api("GET", `/flowrun/${run}`)).spec.tokens[0].uuid;
}

/** What `fsl test` says of a case of the flow. */
function tested(text) {
  const folder = mkdtempSync(join(tmpdir(), "echoer-case-"));
  writeFileSync(join(folder, "claim.fsl"), FLOW);
  writeFileSync(join(folder, "claim.test.yaml"), text);
  const program = "import sys; from fsl.cli.main import main; sys.argv = ['fsl', *sys.argv[1:]]; main()";
  return execFileSync(process.env.PYTHON, ["-c", program, "test", folder], { cwd: join(import.meta.dirname, "../.."), encoding: "utf8" });
}

/** Let axe look at the page, take a picture, and close it: both give an editor styles, which the policy reports. */
async function checkedAndClosed(page, what) {
  assert.deepEqual(page.problems, []);
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await globalThis.axe.run(document.querySelector("main") ?? document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] })).violations);
  await page.screenshot({ path: `${shots}/${what}.png`, fullPage: true });
  assert.deepEqual(found.map((one) => `${what}: ${one.id} ${one.nodes[0]?.html}`), []);
  await page.context().close();
}

test("play: a session with an answer, a failure and time passes as a test", async () => {
  const page = await open("#/play/claim");
  await page.getByLabel(/amount/).fill("7.5");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await page.getByRole("button", { name: /^AGREE/ }).click();
  await page.getByRole("button", { name: "Fails: 503" }).click();
  await page.getByRole("button", { name: /step Pay is tried again/ }).click();
  await page.getByRole("button", { name: /^PAID/ }).click();
  await page.getByRole("button", { name: /the end of step Rest/ }).click();
  await page.locator(".play .badge.succeeded").waitFor();
  await page.getByRole("button", { name: "As a test" }).click();
  const text = await page.locator("dialog pre").innerText();
  assert.match(text, /status: succeeded/);
  assert.match(tested(text), /1 passed|passed/);
  await page.getByRole("dialog").getByRole("button", { name: "Copy" }).click();
  assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), text.trim());
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save the file" }).click();
  const file = await download;
  assert.equal(file.suggestedFilename(), "claim.test.yaml");
  assert.equal((await readFile(await file.path(), "utf8")).trim(), text.trim());
  await page.screenshot({ path: `${shots}/play-as-test.png` });
  await close(page);
});

test("play: run until a step, or to the end", async () => {
  const page = await open("#/play/claim");
  await page.getByLabel(/amount/).fill("7.5");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await page.getByLabel("Run until").selectOption({ label: "Rest" });
  await page.locator(".wait h3", { hasText: "Rest" }).waitFor();
  await page.getByLabel("Run until").selectOption({ label: "its end" });
  await page.locator(".play .badge.succeeded").waitFor();
  await close(page);
});

test("a failed run is played against the text on the screen, and shows the first decision that differs", async () => {
  const page = await open("#/runs/c-refused");
  await page.getByRole("link", { name: "Play it against a changed text" }).click();
  await page.getByText("Entries 1 to 2 are decided as they were recorded.").waitFor();
  await page.locator(".editor .cm-content").click();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(FLOW.slice(FLOW.indexOf("flow claim")).replace("REJECT -> stopped", "REJECT -> Rest"));
  await page.getByText("Entry 2 is decided otherwise").waitFor();
  const shown = await page.locator(".differs").innerText();
  assert.match(shown, /StepAcked REJECT → stopped/);
  assert.match(shown, /StepAcked REJECT → Rest/);
  await page.locator(".differs").getByRole("button", { name: "line 4" }).click();
  await page.locator(".wait h3", { hasText: "Rest" }).waitFor();
  await page.getByRole("button", { name: /the end of step Rest/ }).click();
  await page.locator(".play .badge.succeeded").waitFor();
  await checkedAndClosed(page, "replay");
});

test("a live run: what happens if nothing is done", async () => {
  const page = await open("#/runs/c-live");
  await page.getByRole("button", { name: "If nothing is done" }).click();
  const ahead = page.locator(".ahead");
  await ahead.getByText("StepTimedOut TIMEOUT → stopped").waitFor();
  await ahead.locator(".badge.failed").waitFor();
  assert.equal((await api("GET", "/flowrun/c-live?view=summary")).spec.status, "running");
  await checkedAndClosed(page, "ahead");
});

test("the scrubber shows the path, the tokens and the variables at any entry", async () => {
  const page = await open("#/runs/c-refused");
  await page.getByRole("button", { name: "Look back" }).click();
  const scrubber = page.locator(".scrubber");
  await scrubber.getByText("Entry 2 of 2").waitFor();
  await scrubber.getByText('"no receipt"').waitFor();
  await scrubber.getByRole("button", { name: "Earlier entry" }).click();
  await scrubber.getByText("Entry 1 of 2").waitFor();
  await scrubber.getByText("It was at Judge").waitFor();
  await until(async () => !(await scrubber.innerText()).includes("no receipt"));
  assert.ok((await scrubber.innerText()).includes("recomputed"));
  await scrubber.getByRole("slider").press("ArrowRight");
  await scrubber.getByText('"no receipt"').waitFor();
  await checkedAndClosed(page, "scrubber");
  for (const theme of ["light", "dark"]) {
    const narrow = await open("#/runs/c-refused", { width: 390, theme });
    await narrow.getByRole("button", { name: "Look back" }).click();
    await narrow.locator(".scrubber").getByText("Entry 2 of 2").waitFor();
    assert.equal(await narrow.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true);
    await narrow.screenshot({ path: `${shots}/scrubber-390-${theme}.png`, fullPage: true });
    await close(narrow);
  }
});
