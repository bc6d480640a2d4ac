// Calls a real registry with the client of orval, whose functions use `fetch`.
import { listProjects, patchProject, readImport, readProject, search, selectProjects, sendImport } from "./orval/api.js";
import type { PartnerShown } from "./orval/api.js";
import { base, check, key, line, project } from "./registry.js";

const original = globalThis.fetch;
globalThis.fetch = (path, options) => original(`${base}${path}`, options);

const some = await selectProjects({ fields: "id,title", limit: 2 });
check(some.status === 200, "a list of some fields");
const first = some.data.items[0];
// @ts-expect-error a member that was not selected may be absent (compiled, not run)
(): number | undefined => first?.status.length;
check(first?.title !== undefined && first.status === undefined, "only the selected fields come");

const list = await listProjects({ status: ["active"], limit: 2, total: true });
check(list.status === 200 && list.data.items[0]?.status.toUpperCase() === "ACTIVE", "a list has every member");

const detail = await readProject(project, { include: "partners,figures" });
check(detail.status === 200, "a detail");
const partners: Record<string, PartnerShown> = detail.data.included?.partners ?? {};
const names: (string | undefined)[] = Object.values(partners).map((partner) => partner.name["en"]);
check(names.length > 0, "a detail includes partners");

const found = await search({ q: "smart factory" });
check(found.status === 200 && found.data.items.length > 0, "a search has hits");

const headers = { ...key, "If-Match": detail.headers.get("ETag") ?? "" };
const changed = await patchProject(project, { description: { en: "Changed with orval." } }, { headers });
check(changed.status === 200 && changed.data.description?.["en"] === "Changed with orval.", "a change");

const type = { ...key, "Content-Type": "application/x-ndjson" };
const sent = await sendImport(new Blob([line("orval")]), {}, { headers: type });
check(sent.status === 202, "an import");
const ended = await readImport(sent.data.id, { wait: 30 }, { headers: key });
check(ended.status === 200 && ended.data.status === "done", "the import ended");

const missing = await readProject("no-such-project");
check(missing.status === 404 && missing.data.code === "not_found", "a problem has a code");
