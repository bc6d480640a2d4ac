// Calls a real registry with the client of @hey-api/openapi-ts.
import { client } from "./hey-api/client.gen.js";
import { listProjects, patchProject, readImport, readProject, search, selectProjects, sendImport } from "./hey-api/index.js";
import type { PartnerShown } from "./hey-api/index.js";
import { base, check, key, line, project } from "./registry.js";

client.setConfig({ baseUrl: base, headers: key });
const path = { project_id: project };

const some = await selectProjects({ query: { fields: "id,title", limit: 2 } });
const first = some.data?.items[0];
// @ts-expect-error a member that was not selected may be absent (compiled, not run)
(): number | undefined => first?.status.length;
check(first?.title !== undefined && first.status === undefined, "only the selected fields come");

const list = await listProjects({ query: { status: ["active"], limit: 2, total: true } });
check(list.data?.items[0]?.status.toUpperCase() === "ACTIVE", "a list has every member");

const detail = await readProject({ path, query: { include: "partners,figures" } });
const partners: Record<string, PartnerShown> = detail.data?.included?.partners ?? {};
const names: (string | undefined)[] = Object.values(partners).map((partner) => partner.name["en"]);
check(names.length > 0, "a detail includes partners");

const found = await search({ query: { q: "smart factory" } });
check((found.data?.items.length ?? 0) > 0, "a search has hits");

const headers = { "If-Match": detail.response?.headers.get("ETag") ?? "" };
const changed = await patchProject({ path, headers, body: { description: { en: "Changed with hey-api." } } });
check(changed.data?.description?.["en"] === "Changed with hey-api.", "a change");
// @ts-expect-error a change without a condition is always refused
const refused = await patchProject({ path, body: { description: { en: "Without a condition." } } });
check(refused.error?.code === "no_condition", "a change needs a condition");

const type = { "Content-Type": "application/x-ndjson" };
const sent = await sendImport({ body: new Blob([line("hey-api")]), headers: type, bodySerializer: null });
check(sent.data !== undefined, `an import: ${sent.error?.detail}`);
const ended = await readImport({ path: { import_id: sent.data.id }, query: { wait: 30 } });
check(ended.data?.status === "done", `the import is ${ended.data?.status}`);

const missing = await readProject({ path: { project_id: "no-such-project" } });
check(missing.error?.code === "not_found" && missing.error.errors.length === 0, "a problem has a code");
