// Opens the pages that show the registry in headless Chromium. Arguments: base URL, browser, folder for screenshots.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch } from "./browser.mjs";

const [base, executablePath, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const MAX_PAGE = 55_000; // bytes of a page of a project with all that it loads, uncompressed
const MAX_SCRIPT = 12_000;
const PROJECT = "/projects/smart-factory-cooperation";
const PAGES = [
  "/", PROJECT, "/agreements/eco-industrial-parks-mou-2024-2028", "/partners/moit", "/figures/smart-factory-enterprises-2022",
  "/documents/samsung-smart-factory-2023", "/places/bac-ninh", "/places", "/timeline", "/audit", "/changes", `${PROJECT}/embed`, "/projects?status=active", "/figures",
  "/statements?kind=request", "/search?q=nha+may+thong+minh", "/milestones/smart-factory-mou-2022-signing",
  "/statements/local-departments-should-give-attention", "/indicators/enterprises-supported",
];
const VIEWS = [
  { language: "en", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { language: "vi", colorScheme: "dark", viewport: { width: 390, height: 844 } },
];

const browser = await launch(executablePath, base);

/** Run a check in a context of its own. It fails if the page logs an error or asks another host for anything. */
async function inContext(options, check) {
  const context = await browser.newContext(options);
  const wrong = [];
  context.on("request", (request) => new URL(request.url()).origin === base || wrong.push(`asked ${request.url()}`));
  context.on("response", (response) => response.status() >= 400 && wrong.push(`${response.status()} ${response.url()}`));
  context.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  context.on("weberror", (error) => wrong.push(String(error.error())));
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  await check(page);
  assert.deepEqual(wrong, []);
  await context.close();
}

/** Open a page, and compare it with the rules for accessibility and with the widths of screens. */
async function look(page, path, { language, colorScheme, viewport }) {
  const answer = await page.goto(`${base}${path}${path.includes("?") ? "&" : "?"}lang=${language}`);
  assert.equal(answer.status(), 200, path);
  const name = path.slice(1).replace(/[^a-z0-9]+/g, "-") || "start";
  await page.screenshot({ path: `${folder}/explorer-${name}-${language}-${colorScheme}.png` });
  await page.evaluate(axe);
  const violations = await page.evaluate(
    async (values) => (await window.axe.run({ runOnly: { type: "tag", values } })).violations.map((rule) => `${rule.id}: ${rule.nodes[0].html}`),
    RULES,
  );
  assert.deepEqual(violations, [], `${path} in ${language}, ${colorScheme}`);
  for (const width of [viewport.width, 768, 320]) {
    await page.setViewportSize({ width, height: viewport.height });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${path} is ${wide} px wide in a window of ${width} px`);
  }
  await page.setViewportSize(viewport);
}

async function suggestions(page) {
  await page.goto(base);
  const field = page.getByRole("combobox");
  await field.pressSequentially("nha may thong minh");
  const first = page.getByRole("option").first();
  await first.locator("mark").first().waitFor();
  assert.match(await first.textContent(), /nhà máy thông minh/i);
  await field.press("ArrowDown");
  assert.equal(await field.getAttribute("aria-activedescendant"), await first.getAttribute("id"));
  await field.press("Enter");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForURL(/\/(projects|agreements)\//);
}

async function evidenceInPanel(page) {
  await page.goto(base + PROJECT);
  const number = page.locator("a[data-ev]").first();
  await number.focus();
  await page.keyboard.press("Enter");
  const panel = page.getByRole("dialog");
  await panel.locator(".tok").first().waitFor();
  assert.equal(await panel.locator(".tok").first().textContent(), "26 doanh nghiệp");
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
  assert.ok(await number.evaluate((link) => link === document.activeElement), "the focus does not return to the number");
}

/** Twice as large letters, and paper: nothing is wider than the window, and no text is cut off. */
async function largeTextAndPrint(page) {
  for (const path of ["/", PROJECT, "/figures/smart-factory-enterprises-2022", "/documents/samsung-smart-factory-2023", "/timeline", "/changes", `${PROJECT}/embed`]) {
    await page.goto(base + path);
    await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 1280, `${path} is ${wide} px wide with 200 % text`);
    await page.goto(base + path);
    await page.emulateMedia({ media: "print" });
    const printed = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(printed <= 1280, `${path} is ${printed} px wide in print`);
    await page.emulateMedia({ media: "screen" });
  }
}

async function weight(page) {
  const sizes = {};
  page.on("response", async (response) => (sizes[new URL(response.url()).pathname] = (await response.body()).length));
  await page.goto(base + PROJECT, { waitUntil: "networkidle" });
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  assert.ok(sizes["/explorer/explorer.js"] < MAX_SCRIPT, `the script has ${sizes["/explorer/explorer.js"]} bytes`);
  assert.ok(total < MAX_PAGE, `the page has ${total} bytes: ${JSON.stringify(sizes)}`);
  console.log(`   ${PROJECT}: ${Math.round(total / 1000)} kB, ${Object.keys(sizes).length} requests`);
}

async function withoutScript(page) {
  await page.goto(base);
  await page.getByRole("searchbox").fill("nha may thong minh");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: /smart factory/i }).first().click();
  await page.locator("a[data-ev]").first().click();
  await page.locator(".tok").first().waitFor();
  assert.equal(await page.locator("button.copy:visible").count(), 0);
}

try {
  for (const view of VIEWS) {
    await inContext({ viewport: view.viewport, colorScheme: view.colorScheme }, async (page) => {
      for (const path of PAGES) await look(page, path, view);
    });
    console.log(`   ${PAGES.length} pages in ${view.language}, ${view.colorScheme}: accessible, not wider than the window`);
  }
  await inContext({}, suggestions);
  await inContext({}, evidenceInPanel);
  await inContext({}, weight);
  await inContext({ viewport: { width: 1280, height: 900 } }, largeTextAndPrint);
  await inContext({ javaScriptEnabled: false }, withoutScript);
  await inContext({ forcedColors: "active", viewport: { width: 640, height: 900 } }, (page) => page.goto(base + PROJECT));
} catch (error) {
  console.error(`   FAILED: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
