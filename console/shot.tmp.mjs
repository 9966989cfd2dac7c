import { chromium } from "playwright-core";
const U = process.env.U ?? "http://127.0.0.1:8300/";
const shots = (process.argv[2] ?? "").split(",").filter(Boolean);
const theme = process.argv[3] ?? "light";
const width = Number(process.argv[4] ?? 1280);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width, height: width < 500 ? 844 : 800 }, colorScheme: theme });
page.on("console", (m) => (m.type() === "error" || m.type() === "warning") && console.log("console:", m.text().slice(0, 300)));
page.on("pageerror", (e) => console.log("pageerror:", e.message.slice(0, 300)));
const places = { now: "#/", runs: "#/runs", run: "#/runs/o-0", ok: "#/runs/my_flow_run", wait: "#/runs/w-1", inbox: "#/inbox", flows: "#/flows", flow: "#/flows/order", start: "#/start/order", edit: "#/edit?flow=order", newedit: "#/edit", play: "#/play/order", health: "#/health", admin: "#/admin", secrets: "#/admin?tab=secrets", settings: "#/settings", many: "#/runs/many-1?tab=items", versions: "#/flows/order?tab=versions" };
for (const name of shots.length ? shots : Object.keys(places)) {
  await page.goto(U + places[name]);
  await page.waitForTimeout(name.includes("edit") ? 2500 : 1500);
  if (name === "play") { await page.fill("form input", "o-1"); await page.click("form .primary"); await page.waitForTimeout(1200); }
  await page.screenshot({ path: `/tmp/shot-${name}-${theme}-${width}.png`, fullPage: false });
}
await browser.close();
