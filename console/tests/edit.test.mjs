// The editor: names are changed everywhere, the diagram changes the text, and what others changed is not overwritten.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { api, axe, close, open, shots, until } from "./support.mjs";

const ACTIONS = `action review method = human; args = (str order); return = (AGREE | REJECT); timeout = 1d; action_end
/
action charge addr = "https://bank.example/"; args = (str order); return = (PAID | REFUSED); action_end
/
action notify addr = "https://mail.example/"; return = (SENT | LOST); action_end`;

const ORDER = `flow order
    input = (str order);

    # 😀 who looks at it
    deci Review => (AGREE -> Charge   # yes
                  | REJECT -> stopped
                  | TIMEOUT -> stopped) {
        action = review;
    };
    # the money
    step Charge => (PAID -> done | REFUSED -> stopped) { action = charge; };
flow_end`;

before(() => api("POST", "/fsl", undefined, { text: `${ACTIONS}\n/\n${ORDER}` }));

const editorOf = (page) => page.locator(".editor .cm-content");
const textOf = (page) => editorOf(page).evaluate((element) => element.cmTile.view.state.doc.toString());

async function write(page, text) {
  await editorOf(page).click();
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

async function edit(place = "#/edit?flow=order", more = {}) {
  const page = await open(place, more);
  await editorOf(page).waitFor();
  await page.getByText("0 errors, 0 warnings").waitFor();
  await page.locator(".diagram svg .node").first().waitFor();
  return page;
}

/** Replace a part of the text and leave the caret where it is. */
async function put(page, old, now) {
  await editorOf(page).evaluate(
    (element, [wanted, insert]) => {
      const { view } = element.cmTile;
      const from = view.state.doc.toString().indexOf(wanted);
      view.dispatch({ changes: { from, to: from + wanted.length, insert } });
    },
    [old, now],
  );
}

/** Put the caret into a word of the text. */
async function caretAt(page, text) {
  await editorOf(page).evaluate((element, wanted) => {
    const { view } = element.cmTile;
    view.dispatch({ selection: { anchor: view.state.doc.toString().indexOf(wanted) + 1 } });
    view.focus();
  }, text);
}

async function leave(page) {
  await page.evaluate(() => localStorage.clear());
  await close(page);
}

test("F2 renames a step in every place, and one undo takes it back", async () => {
  const page = await edit();
  await caretAt(page, "Charge =>");
  await page.keyboard.press("F2");
  const dialog = page.getByRole("dialog", { name: "Rename step Charge" });
  await dialog.getByText("2 places in this text").waitFor();
  await dialog.getByLabel("New name").fill("Review");
  await dialog.getByRole("button", { name: "Rename" }).click();
  await dialog.getByText("there is already a step 'Review'").waitFor();
  await dialog.getByLabel("New name").fill("Take money");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  assert.equal(await textOf(page), ORDER.replaceAll("Charge", '"Take money"'));
  await page.locator(".diagram .name").getByText("Take money").waitFor();
  await editorOf(page).click();
  await page.keyboard.press("Control+z");
  assert.equal(await textOf(page), ORDER);
  await leave(page);
});

test("F12 leads to the definition, in this text or in another one", async () => {
  const page = await edit();
  await caretAt(page, "Charge   # yes");
  await page.keyboard.press("F12");
  await until(() => editorOf(page).evaluate((element) => element.cmTile.view.state.selection.main.from === element.cmTile.view.state.doc.toString().indexOf("Charge =>")));
  await caretAt(page, "charge; }");
  await page.keyboard.press("F12");
  await page.waitForURL(/action=charge/);
  await editorOf(page).getByText("bank.example").waitFor();
  await leave(page);
});

test("Alt and arrows go along the routes; F8 leads to the next problem", async () => {
  const page = await edit();
  await caretAt(page, "Review =>");
  const caretIsAt = (word) => until(() => editorOf(page).evaluate((element, wanted) => element.cmTile.view.state.selection.main.from === element.cmTile.view.state.doc.toString().indexOf(wanted), word));
  await page.locator(".node.selected", { hasText: "Review" }).waitFor();
  await page.keyboard.press("Alt+ArrowDown");
  await caretIsAt("Charge =>");
  await page.keyboard.press("Alt+ArrowUp");
  await caretIsAt("Review =>");
  await write(page, ORDER.replace("AGREE -> Charge", "AGREE -> Chrage"));
  await page.getByText("1 error,").waitFor();
  await page.keyboard.press("F8");
  await caretIsAt("Chrage");
  await page.keyboard.press("Control+s");
  assert.equal(await page.getByRole("dialog").count(), 0);
  await leave(page);
});

test("a change on the diagram is a patch of the text: comments stay, and one undo takes it back", async () => {
  const page = await edit();
  await page.locator(".diagram .node", { hasText: "Review" }).first().click();
  const form = page.getByRole("region", { name: "Edit deci Review" });
  await form.waitFor();
  await page.locator(".diagram .node .add").click();
  assert.ok(await form.getByLabel("Name of the new step").evaluate((field) => field === document.activeElement));
  await page.keyboard.type("Tell");
  await form.getByLabel("Its action").fill("notify");
  await form.getByLabel("After the state").selectOption("AGREE");
  await form.getByRole("button", { name: "Add step" }).click();
  const added = ORDER.replace("AGREE -> Charge", "AGREE -> Tell").replace("    };\n    # the money", "    };\n    step Tell => (SENT -> Charge | LOST -> stopped) { action = notify; };\n    # the money");
  await until(async () => (await textOf(page)) === added);
  await page.locator(".diagram .name").getByText("Tell").waitFor();

  const tell = page.getByRole("region", { name: "Edit step Tell" });
  await tell.getByLabel("LOST leads to").selectOption("Review");
  const routed = added.replace("LOST -> stopped", "LOST -> Review");
  await until(async () => (await textOf(page)) === routed);
  await tell.getByLabel("Add a property").selectOption("timeout");
  await tell.getByLabel("Value of timeout").fill("10m");
  await page.keyboard.press("Enter");
  const timed = routed.replace("{ action = notify; }", "{ action = notify; timeout = 10m; }");
  await until(async () => (await textOf(page)) === timed);
  await tell.getByLabel("State", { exact: true }).selectOption("TIMEOUT");
  await tell.getByRole("form", { name: "New route" }).getByLabel("Leads to").selectOption("stopped");
  await tell.getByRole("button", { name: "Add route" }).click();
  const all = timed.replace("LOST -> Review)", "LOST -> Review | TIMEOUT -> stopped)");
  await until(async () => (await textOf(page)) === all);

  await tell.getByLabel("Name", { exact: false }).first().fill("Write");
  await page.keyboard.press("Enter");
  await until(async () => (await textOf(page)) === all.replaceAll("Tell", "Write"));
  await page.getByRole("region", { name: "Edit step Write" }).waitFor();
  await page.screenshot({ path: `${shots}/edit-form-light.png`, fullPage: true });
  await page.getByRole("button", { name: "Delete step" }).click();
  await until(async () => (await textOf(page)) === ORDER);
  await editorOf(page).click();
  for (const text of [all.replaceAll("Tell", "Write"), all, timed, routed, added, ORDER]) {
    await page.keyboard.press("Control+z");
    assert.equal(await textOf(page), text);
  }
  await leave(page);
});

test("the form says what is wrong with a change, and which line hinders it", async () => {
  const page = await edit();
  await page.locator(".diagram .node", { hasText: "Review" }).first().click();
  const form = page.getByRole("region", { name: "Edit deci Review" });
  await form.getByLabel("Value of action").fill("(a = ");
  await page.keyboard.press("Enter");
  await form.getByRole("alert").getByText(/the value of 'action' cannot be read/).waitFor();
  assert.equal(await textOf(page), ORDER);
  await put(page, "=> (PAID", "=> PAID");
  await page.getByText("Line 11 cannot be read").waitFor();
  assert.ok(await page.getByRole("button", { name: "Add step" }).isDisabled());
  assert.ok(await page.locator(".diagram.dimmed svg").isVisible());
  await page.getByRole("button", { name: "Go to the line" }).click();
  await put(page, "=> PAID", "=> (PAID");
  await page.getByText("Line 11 cannot be read").waitFor({ state: "detached" });
  await leave(page);
});

test("the diagram by keyboard: Enter opens the form, F2 its name, Delete deletes", async () => {
  const page = await edit();
  await page.locator(".diagram-frame").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("F2");
  const form = page.getByRole("region", { name: /^Edit / });
  await form.waitFor();
  await until(() => form.locator("[data-name]").evaluate((field) => field === document.activeElement));
  await page.locator(".diagram-frame").focus();
  await page.keyboard.press("Delete");
  await until(async () => !(await textOf(page)).includes("step Charge") || !(await textOf(page)).includes("deci Review"));
  await leave(page);
});

test("boxes that did not change keep their order", async () => {
  const text = `${ACTIONS}\n/\nflow wide\n    deci First => (AGREE -> A | REJECT -> B | TIMEOUT -> C) { action = review; args = (order = "o"); };\n    set A => (DONE -> done);\n    set B => (DONE -> done);\n    set C => (DONE -> done);\nflow_end`;
  const page = await edit("#/edit");
  await write(page, text);
  await page.getByText("0 errors, 0 warnings").waitFor();
  const places = () => page.locator(".diagram .node").evaluateAll((all) => Object.fromEntries(all.map((one) => [one.querySelector(".name").textContent, Number(one.querySelector("rect").getAttribute("x"))])));
  await until(async () => (await places()).C !== undefined);
  const old = await places();
  await write(page, text.replace("AGREE -> A | REJECT -> B | TIMEOUT -> C", "TIMEOUT -> C | REJECT -> B | AGREE -> A").replace("flow_end", "    set D => (DONE -> A);\nflow_end"));
  await until(async () => (await places()).D !== undefined);
  const now = await places();
  assert.deepEqual(["A", "B", "C"].sort((a, b) => old[a] - old[b]), ["A", "B", "C"].sort((a, b) => now[a] - now[b]));
  await leave(page);
});

test("boxes that move glide for 200 ms, and not where the reader wants no motion", async () => {
  const page = await edit();
  await page.evaluate(() => {
    const { animate } = Element.prototype;
    window.moves = [];
    Element.prototype.animate = function (frames, options) {
      if (frames[0].transform) window.moves.push(options.duration);
      return animate.call(this, frames, options);
    };
  });
  const add = async (name) => {
    await put(page, "flow_end", `    set ${name} => (DONE -> Review);\nflow_end`);
    await page.locator(".diagram .name", { hasText: name }).waitFor();
    return page.evaluate(() => window.moves);
  };
  assert.deepEqual(await add("Still"), []);
  await page.emulateMedia({ reducedMotion: "no-preference" });
  const moves = await add("Moving");
  assert.ok(moves.length > 0 && moves.every((one) => one === 200), String(moves));
  await leave(page);
});

test("save: what was changed meanwhile is shown beside mine, and chosen for each definition", async () => {
  const page = await edit();
  await write(page, ORDER.replace("REFUSED -> stopped", "REFUSED -> Review"));
  await page.getByRole("button", { name: /Review changes \(1\)/ }).waitFor();
  const theirs = ORDER.replace("looks at it", "looks").replace("REJECT -> stopped", "REJECT -> Charge");
  await api("POST", "/fsl", undefined, { text: theirs });
  await page.getByRole("button", { name: /Review changes \(1\)/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("changed meanwhile: version 2 is in force").waitFor();
  for (const title of ["Mine", "What I began from", "Theirs"]) await dialog.getByRole("columnheader", { name: title }).waitFor();
  assert.ok(await dialog.getByRole("button", { name: "Apply" }).isDisabled());
  await page.screenshot({ path: `${shots}/edit-stale-light.png` });
  await dialog.getByRole("button", { name: "Take both" }).click();
  await until(async () => (await textOf(page)) === theirs.replace("REFUSED -> stopped", "REFUSED -> Review"));
  await dialog.getByText("+     step Charge => (PAID -> done | REFUSED -> Review)").waitFor();

  await api("POST", "/fsl", undefined, { text: theirs.replace("REFUSED -> stopped", "REFUSED -> Charge") });
  await dialog.getByRole("button", { name: "Apply" }).click();
  await dialog.getByText("changed meanwhile: version 3 is in force").waitFor();
  await dialog.getByText("both changed this").waitFor();
  await dialog.getByRole("button", { name: "Keep mine" }).click();
  await dialog.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/#\/flows\/order/);
  assert.match((await api("GET", "/flow/order")).spec.text, /REFUSED -> Review/);
  await api("POST", "/fsl", undefined, { text: ORDER });
  await leave(page);
});

test("save: theirs is taken, also when the draft began before a reload", async () => {
  const page = await edit();
  await write(page, ORDER.replace("REFUSED -> stopped", "REFUSED -> Review"));
  await page.getByRole("button", { name: /Review changes \(1\)/ }).waitFor();
  const theirs = ORDER.replace("REFUSED -> stopped", "REFUSED -> Charge");
  await api("POST", "/fsl", undefined, { text: theirs });
  await page.reload();
  await editorOf(page).getByText("REFUSED -> Review").waitFor();
  await page.getByRole("button", { name: /Review changes \(1\)/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("both changed this").waitFor();
  await dialog.getByRole("button", { name: "Take theirs" }).click();
  await until(async () => (await textOf(page)) === theirs);
  await dialog.getByText("Nothing differs from what is in force.").waitFor();
  await page.keyboard.press("Escape");
  await api("POST", "/fsl", undefined, { text: ORDER });
  await leave(page);
});

for (const theme of ["light", "dark"])
  test(`axe finds nothing in the form and in three texts, ${theme}`, async () => {
    const page = await edit("#/edit?flow=order", { theme });
    await page.locator(".diagram .node", { hasText: "Review" }).first().click();
    await page.getByRole("region", { name: "Edit deci Review" }).waitFor();
    const check = async (name) => {
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run("main", { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
      assert.deepEqual(found.violations.map((one) => `${name}: ${one.id} ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`), []);
    };
    await page.screenshot({ path: `${shots}/edit-form-${theme}.png`, fullPage: true });
    await check("form");
    await write(page, ORDER.replace("REFUSED -> stopped", "REFUSED -> Review"));
    await page.getByRole("button", { name: /Review changes \(1\)/ }).waitFor();
    await api("POST", "/fsl", undefined, { text: ORDER.replace("REFUSED -> stopped", "REFUSED -> Charge") });
    await page.getByRole("button", { name: /Review changes \(1\)/ }).click();
    await page.getByText("both changed this").waitFor();
    await page.screenshot({ path: `${shots}/edit-stale-${theme}.png` });
    await check("three texts");
    await api("POST", "/fsl", undefined, { text: ORDER });
    await page.context().close();
  });

test("the form at 390 pixels: nothing scrolls sideways but diagrams, tables and the text", async () => {
  const page = await edit("#/edit?flow=order", { width: 390 });
  await page.locator(".diagram .node", { hasText: "Review" }).first().click();
  await page.getByRole("region", { name: "Edit deci Review" }).waitFor();
  await page.screenshot({ path: `${shots}/edit-form-narrow.png`, fullPage: true });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 390));
  await leave(page);
});

test("save: what becomes of the flow is said in words, with the runs that keep the old version", async () => {
  await api("POST", "/flow/order/runs", { name: "e-1", input: { order: "e-1" } });
  const page = await edit();
  await page.locator(".diagram .node", { hasText: "Review" }).first().click();
  const form = page.getByRole("region", { name: "Edit deci Review" });
  await form.getByLabel("Name of the new step").fill("Tell");
  await form.getByLabel("Its action").fill("notify");
  await form.getByRole("button", { name: "Add step" }).click();
  await page.getByRole("button", { name: /Review changes \(1\)/ }).click();
  const dialog = page.getByRole("dialog");
  await dialog.locator(".added", { hasText: "step Tell (notify)" }).waitFor();
  await dialog.locator(".added", { hasText: "Review: AGREE → Tell" }).waitFor();
  await dialog.locator(".removed", { hasText: "Review: AGREE → Charge" }).waitFor();
  await dialog.getByText("1 run in progress keeps the version with which it began.").waitFor();
  await dialog.getByText("Diagram", { exact: true }).click();
  await dialog.locator(".node.added", { hasText: "Tell" }).waitFor();
  await page.screenshot({ path: `${shots}/edit-review-light.png` });
  await page.keyboard.press("Escape");
  await leave(page);
});

test("a large flow: its steps are listed, and the diagram is drawn on demand", async () => {
  const steps = Array.from({ length: 400 }, (_, n) => `    set S${n} => (DONE -> ${n < 399 ? `S${n + 1}` : "done"});`);
  const page = await open("#/edit");
  await editorOf(page).waitFor();
  await write(page, `flow large\n${steps.join("\n")}\nflow_end`);
  await page.getByText("400 steps: the diagram takes a moment.").waitFor();
  await page.locator(".steps").getByRole("button", { name: "S7", exact: true }).click();
  const form = page.getByRole("region", { name: "Edit set S7" });
  await form.getByLabel("Name", { exact: false }).first().fill("Seven");
  await page.keyboard.press("Enter");
  await until(async () => (await textOf(page)).includes("set S6 => (DONE -> Seven);\n    set Seven => (DONE -> S8);"));
  await page.getByRole("button", { name: "Draw the diagram" }).click();
  await page.locator(".diagram .name", { hasText: "Seven" }).waitFor();
  await leave(page);
});
