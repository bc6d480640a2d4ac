// Calls a real registry with the client of clients/typescript.
import { Hoptac, ProblemError, UnexpectedResponse, Unreachable } from "./own/src/index.js";
import type { Schemas } from "./own/src/index.js";
import { base, check, project } from "./registry.js";

declare const process: { env: Record<string, string | undefined> };

const registry = new Hoptac(base, { key: process.env["KEY"] ?? "" });

const places = await registry.list("places", { level: ["country"], limit: 1 }).all();
check(places.length > 1 && places.length === (await registry.list("places", { level: ["country"] }).count()), "all pages");
// @ts-expect-error a code that does not exist
check((await code(registry.list("projects", { status: ["ongoing"] }).first())) === "invalid", "a wrong code is refused");

const some = await registry.select("projects", ["id", "title"]).first();
// @ts-expect-error a member that was not selected may be absent (compiled, not run)
(): number | undefined => some?.status.length;
check(some?.title !== undefined && some.status === undefined, "only the selected fields come");

const [detail, etag] = await registry.readWithETag("projects", project, { include: ["partners", "figures"] });
const partners: Record<string, Schemas["PartnerShown"]> = detail.included?.partners ?? {};
check(Object.values(partners)[0]?.name["en"] !== undefined, "a detail includes partners");
check((await registry.search("smart factory").first())?.resource !== undefined, "a search has hits");

const changed = await registry.patch("projects", project, { description: { en: "Changed with hoptac-client." } }, etag);
check(changed.version > detail.version, "a change");
check((await code(registry.patch("projects", project, { description: { en: "Once more." } }, etag))) === "stale", "a stale write");
check((await code(registry.read("projects", "no-such-project"))) === "not_found", "a problem has a code");

let last = 0;
let next = "";
for await (const page of registry.changes(0, { limit: 200, resource: ["projects"] })) {
  last = page.items.at(-1)?.sequence ?? last;
  next = page.next;
}
await registry.put("projects", project, { ...changed, status: "completed" }, "*");
for await (const page of registry.changes(next)) {
  check((page.items[0]?.sequence ?? 0) > last, "the feed continues where it stopped");
}

const answers = [429, 503, 200];
const lostRequests: string[] = [];
const busy = (async () => {
  const status = answers.shift() ?? 500;
  return new Response(JSON.stringify({ items: [], next: null }), { status, headers: { "Retry-After": "0" } });
}) as typeof fetch;
check((await new Hoptac(base, { fetch: busy }).list("places").all()).length === 0 && answers.length === 0, "repetitions");
const lost = (async () => {
  lostRequests.push("lost");
  throw new TypeError("lost");
}) as typeof fetch;
const failed = await new Hoptac(base, { fetch: lost, retries: 0 }).get("/v1").catch((error: unknown) => error);
check(failed instanceof Unreachable, "no response");
const write = await new Hoptac(base, { fetch: lost }).patch("projects", project, {}, "*").catch((error: unknown) => error);
check(write instanceof Unreachable && lostRequests.join(" ") === "lost lost", "a write whose response was lost is not repeated");
const page = (async () => new Response("<html>", { status: 200 })) as typeof fetch;
const other = await new Hoptac(base, { fetch: page }).get("/v1").catch((error: unknown) => error);
check(other instanceof UnexpectedResponse, "a page is no response of a registry");
const elsewhere = await new Hoptac(base).get("https://elsewhere.test/v1").catch((error: unknown) => error);
check(elsewhere instanceof TypeError, "the key is sent to the registry alone");

/** Return the code of the problem that a request ends with. */
async function code(request: Promise<unknown>): Promise<string> {
  const outcome = await request.catch((error: unknown) => error);
  return outcome instanceof ProblemError ? outcome.code : "no problem";
}
