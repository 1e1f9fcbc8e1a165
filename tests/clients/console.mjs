// Looks at the console as an operator does, in Chromium, and prints what it saw as one JSON object.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { launched } from "./chromium.mjs";

const { link, key, model, prompt, shots } = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const origin = new URL(link).origin;
const WAIT_MILLISECONDS = 90_000;
const told = { requested: [], violations: [], complaints: [], axe: {} };

const browser = await launched();

async function opened(options = {}) {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(WAIT_MILLISECONDS);
  await context.exposeFunction("violated", (what) => told.violations.push(what));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => window.violated(`${event.violatedDirective} ${event.blockedURI}`));
  });
  const page = await context.newPage();
  page.on("request", (request) => told.requested.push(request.url()));
  page.on("pageerror", (error) => told.complaints.push(String(error)));
  page.on("dialog", (dialog) => told.complaints.push(dialog.message()) && dialog.dismiss());
  return page;
}

async function looked(page, name) {
  told.axe[name] = await page.evaluate(async (source) => {
    (0, eval)(source);
    const { violations } = await window.axe.run(document);
    return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)}`));
  }, axe).catch((error) => [String(error)]);
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

// How many pixels of a chart are of a line's colour, which is none of grid and words.
const drawn = (page, name) =>
  page.evaluate((chart) => {
    const canvas = document.querySelector(`[data-chart=${chart}] canvas`);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let pixels = 0;
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue, alpha] = data.slice(at, at + 4);
      if (alpha > 200 && blue - red > 60 && blue > green) pixels += 1;
    }
    return pixels;
  }, name);

const requests = (page) => page.locator(".tile", { hasText: "Requests" }).locator(".value").textContent().then((text) => Number(text.replace(",", "")) || 0);
const rows = (page, part) => page.locator(`[data-part=${part}] tbody tr`).allTextContents();

// With the link: it lets in once.
const page = await opened();
await page.goto(link);
await page.waitForURL(`${origin}/`);
told.address = page.url();
const second = await opened();
await second.goto(link);
await second.locator("#said", { hasText: "used" }).waitFor();
await looked(second, "sign-in");
await second.context().close();

// The numbers of requests that were made before.
await page.locator("[data-part=latency] tbody tr", { hasText: model }).waitFor();
await page.locator("[data-chart=ttft] canvas").waitFor();
told.verdict = await page.locator(".verdict", { hasText: /^\s*All \d+ processes are ready/ }).textContent();
// At once: a process that stands still for seconds is not ready at the next look.
told.health = await rows(page, "health");
// A source that is slow fills its part at a later look, and what is on its way is missing until it is there.
await page.locator("[data-part=completeness] tbody tr", { hasText: /^\s*generation.*none\s*$/ }).waitFor().catch(() => {});
for (const part of ["capacity", "replicas", "latency", "tenants", "completeness"]) {
  await page.locator(`[data-part=${part}] tbody tr`).first().waitFor();
  told[part] = await rows(page, part);
}
told.drawn = {};
for (const name of ["ttft", "tps"]) told.drawn[name] = await drawn(page, name);
told.sentences = await page.locator(".plot").evaluateAll((plots) => plots.map((plot) => plot.getAttribute("aria-label")));
await looked(page, "light");

// By keyboard alone: every control in its order, then a prompt that is sent and answered.
await page.evaluate(() => document.activeElement?.blur());
told.reached = [];
const before = await requests(page);
for (let step = 0; step < 60; step += 1) {
  await page.keyboard.press("Tab");
  const { name, outline } = await page.evaluate(() => {
    const element = document.activeElement;
    const named = element.name || element.id || element.getAttribute("aria-label") || element.textContent.trim().slice(0, 40);
    return { name: element === document.body ? "" : named, outline: getComputedStyle(element).outlineStyle };
  });
  if (!name) break;
  told.reached.push(name);
  if (outline === "none") told.complaints.push(`no focus is seen on ${name}`);
  if (name === "key") await page.keyboard.type(key);
  if (name === "max_output_tokens") await page.keyboard.type("24");
  if (name === "prompt") await page.keyboard.type(prompt);
  if (name === "Send") {
    told.pieces = await page.evaluate(() => {
      window.pieces = 0;
      new MutationObserver((changes) => (window.pieces += changes.length)).observe(document.getElementById("answer"), { childList: true });
    });
    await page.keyboard.press("Enter");
    await page.locator("#trial-said", { hasText: /Answered|Refused|broke|empty/ }).waitFor();
  }
}
told.said = await page.locator("#trial-said").textContent();
told.answer = await page.locator("#answer").textContent();
told.pieces = await page.evaluate(() => window.pieces);
await page.locator("#trial [name=key]").fill("cptr_eu-fr_wrong");
await page.getByRole("button", { name: "Send" }).click();
told.refused = await page.locator("#trial-said", { hasText: "Refused" }).textContent();

// What was sent is counted, and the page shows it without being loaded anew.
await page.waitForFunction((count) => {
  const tile = [...document.querySelectorAll(".tile")].find((one) => one.textContent.includes("Requests"));
  return Number(tile.querySelector(".value").textContent.replace(",", "")) > count;
}, before);
told.stored = await page.evaluate(async () => ({
  local: localStorage.length,
  session: sessionStorage.length,
  databases: (await indexedDB.databases()).length,
  cookie: document.cookie,
  address: location.href,
}));

// Names that are markup are text, where the script writes them too.
const markup = '<img src=x onerror="alert(1)">';
await page.route("**/parts?*", async (route) => {
  const answer = await route.fetch();
  const content = await answer.json();
  for (const line of content.charts.ttft.lines) line.label = markup;
  await route.fulfill({ response: answer, json: content });
});
await page.locator("[data-chart=ttft] .legend", { hasText: markup }).waitFor();
told.images = await page.locator("img").count();
await page.unroute("**/parts?*");

// Dark, and as narrow as a phone; each chart as a table.
await page.emulateMedia({ colorScheme: "dark" });
await page.locator("[data-chart=ttft] summary").click();
told.steps = await page.locator("[data-chart=ttft] details tbody tr").count();
told.paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
told.drawn.dark = await drawn(page, "ttft");
await looked(page, "dark");
await page.setViewportSize({ width: 360, height: 740 });
await page.waitForFunction(() => document.querySelector(".plot canvas").getBoundingClientRect().width < 360);
told.width = await page.evaluate(() => document.documentElement.scrollWidth);
await looked(page, "narrow");
for (const span of ["day", "week"]) {
  await page.goto(`${origin}/?span=${span}`);
  await page.locator("[data-part=latency] tbody tr", { hasText: model }).waitFor();
}

// Signed out, nothing is shown.
await page.getByRole("button", { name: "Sign out" }).click();
await page.waitForURL(`${origin}/sign-in`);
told.signedOut = await page.evaluate(async () => (await fetch("/parts")).status);

await browser.close();
told.outside = told.requested.filter((url) => new URL(url).origin !== origin);
told.secrets = told.requested.filter((url) => url.includes(key) || url.includes(prompt));
delete told.requested;
console.log(JSON.stringify(told));
