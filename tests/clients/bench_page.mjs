// Opens the page of a bench from a file, as whoever was sent it does, and prints what it saw as one JSON object.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { launched } from "./chromium.mjs";

const { url, language, shots } = JSON.parse(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const told = { requested: [], complaints: [], axe: {}, drawn: {} };
const browser = await launched(language);
// The page's policy lets nothing be evaluated in it; axe-core is put in beside it.
const context = await browser.newContext({ bypassCSP: true, viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
page.on("request", (request) => told.requested.push(request.url()));
page.on("pageerror", (error) => told.complaints.push(String(error)));
page.on("console", (message) => message.type() === "error" && told.complaints.push(message.text()));

// How many pixels of each plot are of a colour, which grid and words are not.
const drawn = () =>
  page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll(".plot")].map((plot) => {
        const canvas = plot.querySelector("canvas");
        if (!canvas) return [plot.id, 0];
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let pixels = 0;
        for (let at = 0; at < data.length; at += 4) {
          const [red, green, blue, alpha] = data.slice(at, at + 4);
          if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) pixels += 1;
        }
        return [plot.id, pixels];
      }),
    ),
  );

async function looked(name) {
  told.drawn[name] = await drawn();
  told.axe[name] = await page.evaluate(async (source) => {
    (0, eval)(source);
    const { violations } = await window.axe.run(document);
    return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)}`));
  }, axe);
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

told.machines = await page.evaluate(() => navigator.language);
await page.goto(url);
told.language = await page.evaluate(() => navigator.language);
await looked("light");
await page.emulateMedia({ colorScheme: "dark" });
told.paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
await looked("dark");
await page.setViewportSize({ width: 360, height: 740 });
await page.waitForFunction(() => [...document.querySelectorAll(".plot canvas")].every((one) => one.getBoundingClientRect().width < 360));
await looked("narrow");
told.width = await page.evaluate(() => document.documentElement.scrollWidth);
// A table wider than the page is moved by keys, once it has the focus.
told.tables = await page.evaluate(() =>
  [...document.querySelectorAll(".wide")].map((wide) => {
    wide.focus();
    wide.scrollLeft = 10_000;
    const last = wide.querySelector("tbody tr td:last-child").getBoundingClientRect();
    const size = parseFloat(getComputedStyle(wide.querySelector("td")).fontSize);
    return { isFocused: document.activeElement === wide, right: last.right, left: last.left, size };
  }),
);
await browser.close();
console.log(JSON.stringify(told));
