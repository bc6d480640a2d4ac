// The registry that the programs call, and what they send to it.
declare const process: { env: Record<string, string | undefined> };

export const base = process.env["BASE"] ?? "";
export const key = { Authorization: `Bearer ${process.env["KEY"]}` };
export const project = "smart-factory-cooperation";

/** One line of an import: a project that is obviously invented. */
export function line(program: string): string {
  const evidence = { document: "samsung-smart-factory-2023", paragraph: 11, as_written: "2022 – 2023" };
  return JSON.stringify({
    resource: "projects",
    id: `invented-by-${program}`,
    title: { en: `Invented by ${program}` },
    kind: "project",
    status: "unknown",
    state: "draft",
    citations: [evidence],
  });
}

export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
