// Opens the pages for developers in headless Chromium. Arguments: base URL, browser, folder for screenshots.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [base, executablePath, folder] = process.argv.slice(2);
const { hostname } = new URL(base);
const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    // Whatever a page might still look up is not to be found: it would then show up as an error below.
    `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${hostname}`,
  ],
});

async function see(path, look) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const asked = [];
  const wrong = [];
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
  } catch (error) {
    console.error(`   ${path} does not show what it should; errors: ${wrong.join("; ") || "none"}`);
    throw error;
  } finally {
    await page.screenshot({ path: `${folder}${path}.png` });
  }
  const elsewhere = asked.filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== base);
  assert.deepEqual({ elsewhere, wrong }, { elsewhere: [], wrong: [] }, `${path} asks other hosts for: ${elsewhere}; errors: ${wrong}`);
  console.log(`   ${path}: ${asked.length} requests, all to this server; no errors`);
  await context.close();
}

// The beginning of what the contract says of a list, up to the first word that is set as code.
const contract = await (await fetch(`${base}/openapi.json`)).json();
const described = contract.paths["/v1/projects"].get.description.split("\n").at(-1).split("`")[0].slice(0, 40).trim();
assert.ok(described.length > 10, "the description of a list is missing");

try {
  await see("/docs", async (page) => {
    // Not only drawn: an operation opens, is sent from the page, and its answer is shown.
    const operation = page.locator("#operations-projects-list_projects");
    await page.locator("#operations-tag-projects button").first().click();
    await operation.locator(".opblock-summary-control").click();
    await operation.getByText(described).waitFor();
    await operation.getByRole("button", { name: "Execute" }).click();
    await operation.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
    await operation.locator(".live-responses-table .microlight", { hasText: '"items"' }).first().waitFor();
    await operation.scrollIntoViewIfNeeded();
  });
  await see("/reference", async (page) => {
    await page.getByRole("heading", { name: "List projects" }).first().waitFor();
    await page.getByText(described).first().waitFor();
    const operations = await page.locator('[id^="tag/"][id*="/operation/"]').count();
    const declared = [contract.paths, contract.webhooks].flatMap(Object.values).flatMap(Object.keys).length;
    assert.equal(operations, declared, "an operation is missing");
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
