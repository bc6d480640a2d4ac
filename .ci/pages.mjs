// Opens the pages for developers in headless Chromium. Arguments: base URL, browser, folder for screenshots, a key.
import assert from "node:assert/strict";
import { launch } from "./browser.mjs";

const [base, executablePath, folder, key] = process.argv.slice(2);
const MAX_ELEMENTS = 20_000;
const browser = await launch(executablePath, base);

async function executed(page, name) {
  const operation = page.locator(`#${name}`);
  await operation.locator("summary").first().click();
  await operation.getByRole("button", { name: "Execute" }).click();
  await operation.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
  return operation;
}

async function see(path, look) {
  for (const [width, height] of [[1280, 900], [390, 844]]) await seeAt(width, height, path, look);
}

async function seeAt(width, height, path, look) {
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  const asked = [];
  const wrong = [];
  let measured = "";
  context.on("request", (request) => asked.push(request.url()));
  context.on("response", (response) => response.status() >= 400 && wrong.push(`${response.status()} ${response.url()}`));
  context.on("requestfailed", (request) => wrong.push(`not loaded: ${request.url()}`));
  context.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  context.on("weberror", (error) => wrong.push(String(error.error())));
  page.setDefaultTimeout(90_000);
  const answer = await page.goto(base + path);
  assert.equal(answer.status(), 200);
  try {
    await look(page);
    await page.waitForLoadState("networkidle");
    const drawn = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      elements: document.querySelectorAll("*").length,
      bytes: performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0),
    }));
    assert.ok(drawn.wide <= width, `${path} is wider than the window of ${width} px: ${drawn.wide}`);
    assert.ok(drawn.elements <= MAX_ELEMENTS, `${path} has ${drawn.elements} elements`);
    measured = `${drawn.elements} elements, ${Math.round(drawn.bytes / 1000)} kB`;
  } catch (error) {
    console.error(`   ${path} does not show what it should; errors: ${wrong.join("; ") || "none"}`);
    throw error;
  } finally {
    await page.screenshot({ path: `${folder}/${path.slice(1).replaceAll("/", "-") || "start"}-${width}.png` });
  }
  const elsewhere = asked.filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== base);
  assert.deepEqual({ elsewhere, wrong }, { elsewhere: [], wrong: [] }, `${path} asks other hosts for: ${elsewhere}; errors: ${wrong}`);
  console.log(`   ${path}: ${asked.length} requests, all to this server; no errors; ${width} px: ${measured}`);
  await context.close();
}

// The beginning of what the contract says of a list, up to the first word that is set as code.
const contract = await (await fetch(`${base}/openapi.json`)).json();
const described = contract.paths["/v1/projects"].get.description.split("\n").at(-1).split("`")[0].slice(0, 40).trim();
assert.ok(described.length > 10, "the description of a list is missing");

try {
  await see("/", async (page) => {
    await page.getByRole("heading", { name: "For developers" }).waitFor();
  });
  await see("/guides/use-the-api", async (page) => {
    await page.getByRole("heading", { name: "Use the API" }).waitFor();
  });
  await see("/docs", async (page) => {
    // Not only drawn: the filter finds an operation, which opens and is sent, and its answer is shown. The list is in the
    // page itself, so that operations are seen before any script runs.
    await page.getByLabel("Filter operations").fill("get list projects");
    const operation = await executed(page, "list_projects");
    await operation.getByText(described).waitFor();
    await operation.locator(".live-responses-table .microlight", { hasText: '"items"' }).first().waitFor();
    await page.getByLabel("Filter operations").fill("");
    await page.getByLabel("Key", { exact: true }).fill(key);
    await (await executed(page, "read_own_key")).locator(".live-responses-table", { hasText: '"scopes"' }).waitFor();
    await operation.getByText(described).waitFor(); // the first one is still open
    await operation.scrollIntoViewIfNeeded();
  });
  await see("/reference", async (page) => {
    await page.getByRole("link", { name: "List projects", exact: true }).waitFor();
    const operations = await page.locator(".operations > li").count();
    const declared = [contract.paths, contract.webhooks].flatMap(Object.values).flatMap(Object.keys).length;
    assert.equal(operations, declared, "an operation is missing");
    await page.getByRole("searchbox").fill("pagination");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("link", { name: /Pagination/ }).click();
    await page.getByRole("heading", { name: /Pagination/ }).waitFor();
  });
  await see("/reference/projects", async (page) => {
    await page.getByRole("heading", { name: "List projects" }).waitFor();
    await page.getByText(described).first().waitFor();
  });
  await see("/reference/schemas", async (page) => {
    await page.getByRole("heading", { name: "ProjectShown" }).waitFor();
  });
  await see("/problems", async (page) => {
    await page.getByRole("heading", { name: "bad_cursor" }).waitFor();
    assert.ok((await page.locator("h2").count()) >= 8, "codes are missing");
  });
} catch (error) {
  console.error(`   FAILED: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
