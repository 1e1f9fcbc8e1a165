// Opens a console that lets everybody in, waits for words in parts of it, and prints all parts as JSON.
import { launched } from "./chromium.mjs";

const { url, words, shot } = JSON.parse(process.argv[2]);
const told = { complaints: [], parts: {} };
const browser = await launched();
const page = await browser.newPage({ locale: "en-GB" });
page.on("pageerror", (error) => told.complaints.push(String(error)));
page.on("dialog", (dialog) => told.complaints.push(dialog.message()) && dialog.dismiss());
await page.goto(url);
for (const [part, text] of Object.entries(words)) {
  await page.locator(`[data-part=${part}]`, { hasText: text }).waitFor({ timeout: 90_000 });
}
for (const place of await page.locator("[data-part]").all()) {
  told.parts[await place.getAttribute("data-part")] = await place.innerText();
}
told.models = await page.locator("select[name=model] option").allInnerTexts();
told.nothing = await page.locator(".nothing:visible").allInnerTexts();
told.images = await page.locator("img, #main script").count();
if (shot) await page.screenshot({ path: shot, fullPage: true });
await browser.close();
console.log(JSON.stringify(told));
