// Opens the pages that show the registry in headless Chromium. Arguments: base URL, browser, folder for screenshots, and
// a key for the records that the dataset does not have; or `many`: only the pages of a project with 5,000 milestones.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch } from "./browser.mjs";

const [base, executablePath, folder, key] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const MAX_PAGE = 60_000; // bytes of a page of a project with all that it loads, uncompressed
const MAX_SCRIPT = 12_000;
const PROJECT = "/projects/smart-factory-cooperation";
const MANY = `/timeline?project=${PROJECT.split("/")[2]}`;
const PAGES = [
  "/", PROJECT, "/agreements/eco-industrial-parks-mou-2024-2028", "/partners/moit", "/figures/smart-factory-enterprises-2022",
  "/documents/samsung-smart-factory-2023", "/places/bac-ninh", "/places", "/timeline", "/audit", "/changes", `${PROJECT}/embed`, "/projects?status=active", "/figures",
  "/statements?kind=request", "/search?q=nha+may+thong+minh", "/milestones/smart-factory-mou-2022-signing",
  "/statements/local-departments-should-give-attention", "/indicators/enterprises-supported", "/transactions", "/transactions/check-payment",
];
const NEWSPAPER = "http://newspaper.example"; // an origin that the check itself answers for
const MISSING = { "/projects/nothing-of-this-name": 404, "/partners/check-deleted": 410 };
const VIEWS = [
  { language: "en", colorScheme: "light", other: "dark", viewport: { width: 1280, height: 900 } },
  { language: "vi", colorScheme: "dark", other: "light", viewport: { width: 390, height: 844 } },
];
const WIDTHS = [320, 390, 768, 1280];
const OF_COLOURS = ["color-contrast", "link-in-text-block"]; // all other rules give the same results in both schemes

const browser = await launch(executablePath, base);

/** Write records that the dataset does not have: a payment, a deleted partner, and one that was merged into another. */
async function prepare() {
  const write = async (method, path, body, headers) => {
    const own = { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers };
    const answer = await fetch(`${base}/v1/${path}`, { method, headers: own, body: body && JSON.stringify(body) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  const citations = [{ document: "samsung-smart-factory-2023", paragraph: 12, as_written: "26 doanh nghiệp" }];
  const isNew = { "if-none-match": "*" };
  const paid = { kind: "disbursement", value: 1500.5, currency: "USD", date: "2023-08", receiver: "moit" };
  await write("PUT", "transactions/check-payment", { ...paid, project: PROJECT.split("/")[2], citations }, isNew);
  for (const name of ["deleted", "first", "second"]) {
    await write("PUT", `partners/check-${name}`, { name: { en: `Check ${name}` }, kind: "company", citations }, isNew);
  }
  await write("DELETE", "partners/check-deleted", undefined, { "if-match": "*" });
  await write("POST", "partners/check-first/merge", { into: "check-second" }, { "if-match": "*" });
}

/** Run a check in a context of its own. It fails if the page logs an error or asks another host for anything. */
async function inContext(options, check) {
  const context = await browser.newContext(options);
  const wrong = [];
  context.on("request", (request) => [base, NEWSPAPER].includes(new URL(request.url()).origin) || wrong.push(`asked ${request.url()}`));
  const isExpected = (url, status) => MISSING[new URL(url).pathname] === status;
  context.on("response", (response) => response.status() >= 400 && !isExpected(response.url(), response.status()) && wrong.push(`${response.status()} ${response.url()}`));
  context.on("console", (message) => {
    const isMissing = new URL(message.location().url || base).pathname in MISSING;
    if (["error", "warning"].includes(message.type()) && !isMissing) wrong.push(message.text());
  });
  context.on("weberror", (error) => wrong.push(String(error.error())));
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  await check(page);
  assert.deepEqual(wrong, []);
  await context.close();
}

/** Return the rules for accessibility that a page breaks. */
function violations(page, options) {
  return page.evaluate(
    async (runOnly) => (await window.axe.run({ runOnly })).violations.map((rule) => `${rule.id}: ${rule.nodes[0].html}`),
    options,
  );
}

/** Require that a page is not wider than the window. */
async function fits(page, path, width, how) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${path} is ${wide} px wide in a window of ${width} px${how}`);
}

/** Open a page, and compare it with the rules for accessibility, in both schemes, and with the widths of screens. */
async function look(page, path, { language, colorScheme, other, viewport }) {
  const answer = await page.goto(`${base}${path}${path.includes("?") ? "&" : "?"}lang=${language}`);
  assert.equal(answer.status(), MISSING[path] ?? 200, path);
  const name = path.slice(1).replace(/[^a-z0-9]+/g, "-") || "start";
  await page.screenshot({ path: `${folder}/explorer-${name}-${language}-${colorScheme}.png` });
  await page.evaluate(axe);
  assert.deepEqual(await violations(page, { type: "tag", values: RULES }), [], `${path} in ${language}, ${colorScheme}`);
  await page.emulateMedia({ colorScheme: other });
  assert.deepEqual(await violations(page, { type: "rule", values: OF_COLOURS }), [], `${path} in ${language}, ${other}`);
  await page.emulateMedia({ colorScheme, media: "print" });
  await fits(page, path, viewport.width, " in print");
  await page.emulateMedia({ media: "screen" });
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: viewport.height });
    await fits(page, path, width, "");
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
  await fits(page, path, 1280, " with 200 % text");
  await page.setViewportSize(viewport);
}

async function suggestions(page) {
  await page.goto(base);
  const field = page.getByRole("combobox");
  await field.pressSequentially("nha may thong minh");
  // The suggestions for the first letters can be there before those for all of them.
  const first = page.getByRole("option").first().filter({ hasText: /nhà máy thông minh/i });
  await first.locator("mark").first().waitFor();
  await field.press("ArrowDown");
  assert.equal(await field.getAttribute("aria-activedescendant"), await first.getAttribute("id"));
  await field.press("Enter");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForURL(/\/(projects|agreements)\//);
}

/** Each number opens its evidence by keyboard; Escape closes it and returns the focus to the number. */
async function evidenceInPanel(page) {
  await page.goto(base + PROJECT);
  const panel = page.getByRole("dialog");
  for (const number of await page.locator("a[data-ev]").all()) {
    await number.focus();
    await page.keyboard.press("Enter");
    await panel.locator(".tok").first().waitFor();
    assert.ok(await panel.evaluate((dialog) => dialog.contains(document.activeElement)), "the focus is not in the panel");
    const value = (await number.evaluate((link) => link.firstChild.textContent)).trim();
    assert.match(await panel.locator(".figv").textContent(), new RegExp(`\\b${value}\\b`));
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "hidden" });
    assert.ok(await number.evaluate((link) => link === document.activeElement), "the focus does not return to the number");
  }
}

/** With forced colours, bars of results and squares of documents still differ from their background. */
async function forcedColours(page) {
  for (const path of [PROJECT, "/places", "/documents/samsung-smart-factory-2023"]) {
    await page.goto(base + path);
    await page.screenshot({ path: `${folder}/explorer-forced${path.replaceAll("/", "-")}.png` });
    const unseen = await page.evaluate(() => {
      const background = getComputedStyle(document.body).backgroundColor;
      const shown = (style) => [style.fill, style.stroke].some((colour) => colour !== "none" && colour !== background);
      return [...document.querySelectorAll("main svg rect, main svg circle, main svg line")]
        .filter((shape) => !shape.closest("defs") && !shown(getComputedStyle(shape))).map((shape) => shape.outerHTML);
    });
    assert.deepEqual(unseen, [], `${path} with forced colours`);
  }
}

/** 5,000 milestones are shown in pages that do not freeze the browser. */
async function manyMilestones(page) {
  for (const path of [MANY, PROJECT, "/timeline"]) {
    await page.goto(base + path);
    const drawn = await page.evaluate(() => ({ elements: document.querySelectorAll("*").length, rows: document.querySelectorAll("tbody tr").length, wide: document.documentElement.scrollWidth }));
    assert.ok(drawn.rows >= 20 && drawn.rows <= 60 && drawn.elements < 2_000, `${path}: ${JSON.stringify(drawn)}`);
  }
  await page.goto(base + MANY);
  await page.locator("a[rel=next]").click();
  await page.waitForURL(/cursor=/);
  assert.ok(await page.locator("tbody tr").count() >= 20);
}

/** The page of a merged record leads to the one that remains. */
async function merged(page) {
  await page.goto(`${base}/partners/check-first?lang=vi`);
  assert.equal(page.url(), `${base}/partners/check-second?lang=vi`);
}

/** A page of another origin shows the progress in a frame and as a picture. Files for other programs are well-formed. */
async function embedded(page) {
  const card = await (await fetch(`${base}/oembed?url=${encodeURIComponent(base + PROJECT)}&maxwidth=300`)).json();
  const article = `<!doctype html><title>News</title>${card.html}<img src="${base}${PROJECT}/progress.svg" width="300">`;
  await page.route(`${NEWSPAPER}/`, (route) => route.fulfill({ contentType: "text/html", body: article }));
  await page.goto(`${NEWSPAPER}/`);
  const frame = page.frameLocator("iframe");
  assert.match(await frame.locator(".big").first().textContent(), /^26.*of 50/);
  const wide = await frame.locator("html").evaluate((root) => [root.scrollWidth, root.clientWidth]);
  assert.ok(wide[0] <= wide[1], `the frame is ${wide[0]} px wide, its window ${wide[1]}`);
  await page.waitForFunction(() => document.images[0].complete && document.images[0].naturalWidth > 0);
  await page.screenshot({ path: `${folder}/explorer-embedded.png` });
  for (const [path, root] of [["/changes.atom", "feed"], [`${PROJECT}/progress.svg`, "svg"]]) {
    const text = await (await fetch(base + path)).text();
    const parsed = await page.evaluate((xml) => new DOMParser().parseFromString(xml, "application/xml").documentElement.nodeName, text);
    assert.equal(parsed, root, path);
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

async function everything() {
  await prepare();
  for (const view of VIEWS) {
    await inContext({ viewport: view.viewport, colorScheme: view.colorScheme }, async (page) => {
      for (const path of [...PAGES, ...Object.keys(MISSING)]) await look(page, path, view);
    });
    console.log(`   ${PAGES.length + Object.keys(MISSING).length} pages in ${view.language}, ${view.colorScheme}: accessible, not wider than the window`);
  }
  await inContext({}, suggestions);
  await inContext({}, evidenceInPanel);
  await inContext({}, merged);
  await inContext({}, embedded);
  await inContext({}, weight);
  await inContext({ javaScriptEnabled: false }, withoutScript);
  await inContext({ forcedColors: "active", viewport: { width: 640, height: 900 } }, forcedColours);
}

try {
  await (key === "many" ? inContext({}, manyMilestones) : everything());
} catch (error) {
  console.error(`   FAILED: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
