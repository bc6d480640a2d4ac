// Print the active projects with their partners, and the latest change of the registry.
import { Hoptac, Unreachable } from "./src/index.js";

declare const process: { argv: string[]; exitCode?: number };

/** Return the English text, or the first one that exists. */
function text(languages: Record<string, string>): string {
  return languages["en"] ?? Object.values(languages)[0] ?? "without a name";
}

async function main(registry: Hoptac): Promise<void> {
  for await (const page of registry.list("projects", { status: ["active"], include: ["partners"] }).pages()) {
    for (const project of page.items) {
      const partners = project.roles.map(({ partner }) => page.included?.partners?.[partner]);
      const names = new Set(partners.map((partner) => (partner ? text(partner.name) : "a partner")));
      console.log(`${text(project.title)}: ${[...names].join(", ") || "no partner"}`);
    }
  }
  let count = 0;
  for await (const page of registry.changes(0, { limit: 200 })) count += page.items.length;
  console.log(`${count} changes in the feed`);
}

try {
  await main(new Hoptac(process.argv[2]));
} catch (error) {
  if (!(error instanceof Unreachable)) throw error;
  console.error(`${error.message}. Start a registry with \`make run\`, or name the address of another one.`);
  process.exitCode = 1;
}
