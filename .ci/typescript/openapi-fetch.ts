// Calls a real registry with openapi-fetch and the types of openapi-typescript.
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi-typescript.js";
import { base, check, key, line, project } from "./registry.js";

const client = createClient<paths>({ baseUrl: base, headers: key });
const path = { project_id: project };

const some = await client.GET("/v1/projects/select", { params: { query: { fields: "id,title", limit: 2 } } });
const first = some.data?.items[0];
// @ts-expect-error a member that was not selected may be absent (compiled, not run)
(): number | undefined => first?.status.length;
check(first?.title !== undefined && first.status === undefined, "only the selected fields come");

const asked = { status: ["active" as const], limit: 2, total: true };
const list = await client.GET("/v1/projects", { params: { query: asked } });
check(list.data?.items[0]?.status.toUpperCase() === "ACTIVE", "a list has every member");

const detail = await client.GET("/v1/projects/{project_id}", { params: { path, query: { include: "partners,figures" } } });
const partners: Record<string, components["schemas"]["PartnerShown"]> = detail.data?.included?.partners ?? {};
const names: (string | undefined)[] = Object.values(partners).map((partner) => partner.name["en"]);
check(names.length > 0, "a detail includes partners");

const found = await client.GET("/v1/search", { params: { query: { q: "smart factory" } } });
check((found.data?.items.length ?? 0) > 0, "a search has hits");

const tag = detail.response.headers.get("ETag") ?? "";
const changed = await client.PATCH("/v1/projects/{project_id}", {
  params: { path, header: { "If-Match": tag } },
  body: { description: { en: "Changed with openapi-fetch." } },
});
check(changed.data?.description?.["en"] === "Changed with openapi-fetch.", `a change: ${changed.error?.detail}`);
// @ts-expect-error a change without a condition is always refused
const refused = await client.PATCH("/v1/projects/{project_id}", { params: { path }, body: { description: { en: "Without a condition." } } });
check(refused.error?.code === "no_condition", "a change needs a condition");

const sent = await client.POST("/v1/imports", {
  body: line("openapi-fetch"),
  bodySerializer: (text) => text,
  headers: { "Content-Type": "application/x-ndjson" },
});
check(sent.data !== undefined, `an import: ${sent.error?.detail}`);
const query = { wait: 30 };
const ended = await client.GET("/v1/imports/{import_id}", { params: { path: { import_id: sent.data.id }, query } });
check(ended.data?.status === "done", `the import is ${ended.data?.status}`);

const missing = await client.GET("/v1/projects/{project_id}", { params: { path: { project_id: "no-such-project" } } });
check(missing.error?.code === "not_found" && missing.error.errors.length === 0, "a problem has a code");
