// A machine of Step Functions is imported into the editor: by the button, by drop, from YAML, with values, with errors.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api, axe, close, open, shots, until } from "./support.mjs";

const MACHINE = {
  StartAt: "Ship",
  States: { Ship: { Type: "Task", Resource: "${ShipArn}", Next: "Yes" }, Yes: { Type: "Succeed" } },
};
const YAML = `StartAt: Rest
States:
  Rest: {Type: Wait, Seconds: 5, Next: Yes}
  Yes: {Type: Succeed}
`;

/** Drop a file on the part of the page that holds the editor. */
async function drop(page, name, text) {
  const data = await page.evaluateHandle(
    ([file, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], file, { type: "text/plain" }));
      return transfer;
    },
    [name, text],
  );
  for (const kind of ["dragover", "drop"]) await page.dispatchEvent(".editor", kind, { dataTransfer: data });
}

async function editor(width) {
  const page = await open("#/edit?example=none", { width });
  await page.locator(".editor .cm-content").waitFor();
  return page;
}

test("a dropped machine becomes the text, its problems are listed, and values are filled in", async () => {
  const page = await editor();
  await drop(page, "ship it.asl.json", JSON.stringify(MACHINE));
  await page.getByText("Imported from ship it.asl.json:").waitFor();
  await page.locator(".cm-content").getByText("flow ship_it").waitFor();
  const note = page.locator(".import .problems li", { hasText: "/States/Ship/Resource" });
  assert.match(await note.innerText(), /note \/States\/Ship\/Resource a template fills in/);
  await page.screenshot({ path: `${shots}/import-light.png` });
  await page.getByLabel("ShipArn").fill("arn:aws:lambda:eu-central-1:123456789012:function:ship");
  await page.getByRole("button", { name: "Import with these values" }).click();
  await until(async () => (await note.count()) === 0);
  await page.locator(".cm-content").getByText("function:ship").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await until(async () => (await page.locator(".import section").count()) === 0);
  assert.deepEqual(await api("GET", "/flow"), []);
  await close(page);
});

test("a file is chosen, and YAML is read as version 1.2", async () => {
  const page = await editor();
  await page.setInputFiles(".import input[type=file]", { name: "rest.asl.yaml", mimeType: "text/yaml", buffer: Buffer.from(YAML) });
  await page.getByText("Imported from rest.asl.yaml: 0 problems.").waitFor();
  await page.locator(".cm-content").getByText("for = 5s").waitFor();
  await close(page);
});

test("what is wrong with a machine is listed with its places, and the page is accessible", async () => {
  const page = await editor(390);
  const broken = { ...MACHINE, States: { ...MACHINE.States, Yes: { Type: "Pass", InputPath: "<img src=x>" } } };
  await drop(page, "broken.json", JSON.stringify(broken));
  await page.getByText(/Imported from broken\.json: \d+ problems/).waitFor();
  const listed = await page.locator(".import .problems li.error").allInnerTexts();
  assert.ok(listed.some((one) => one.startsWith("error /States/Yes/InputPath a path must begin with")), listed.join("\n"));
  assert.ok(listed.some((one) => one.includes("`Next` or `End` is missing")));
  await page.screenshot({ path: `${shots}/import-390.png`, fullPage: true });
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(".import", { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }));
  assert.deepEqual(found.violations.map((one) => one.id), []);
  await close(page);
});

test("a file that is no machine leaves the text as it is", async () => {
  const page = await editor();
  await page.locator(".cm-content").click();
  await page.keyboard.type("# mine");
  await drop(page, "broken.json", "{");
  await page.getByText("`asl` is no machine").waitFor();
  await drop(page, "broken.yaml", "a: [");
  await page.locator(".import .problem").waitFor();
  await page.locator(".cm-content").getByText("# mine").waitFor();
  await close(page);
});
