// What a partner would write against the generated types; it is compiled, not run.
import type { components, paths } from "./registry.js";

type Page = paths["/v1/figures"]["get"]["responses"][200]["content"]["application/json"];
type Asked = NonNullable<paths["/v1/figures"]["get"]["parameters"]["query"]>;
type Problem = paths["/v1/figures"]["get"]["responses"]["default"]["content"]["application/problem+json"];
type Project = components["schemas"]["ProjectDetail"];

async function read<T>(path: string): Promise<T> {
  const answer = await fetch(path);
  if (!answer.ok) {
    const problem = (await answer.json()) as Problem;
    throw new Error(problem.code + problem.errors.map((each) => each.detail.trim()).join());
  }
  return (await answer.json()) as T;
}

export async function figures(asked: Asked): Promise<string[]> {
  const query = new URLSearchParams({ limit: String(asked.limit ?? 50) });
  const page = await read<Page>(`/v1/figures?${query}`);
  return page.items.map((figure) => {
    const value: number | null = figure.value ?? null;
    const words: (string | null | undefined)[] = figure.citations.map((each) => each.as_written);
    return `${figure.id.toUpperCase()} ${value?.toFixed(1)} ${words.join()}`;
  });
}

export async function title(id: string): Promise<string | undefined> {
  const project = await read<Project>(`/v1/projects/${id}`);
  return project.title["en"] ?? project.title["vi"];
}
