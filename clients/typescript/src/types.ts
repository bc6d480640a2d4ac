// The types of records, pages and filters, taken from the contract that openapi-typescript has written.
import type { components, operations } from "./contract.js";

export type Schemas = components["schemas"];
export type Problem = Schemas["ProblemShown"];
export type Change = Schemas["ChangeShown"];
export type ChangesPage = Schemas["ChangesPage"];
export type SearchHit = Schemas["SearchHit"];
export type SearchPage = Schemas["SearchPage"];
export type Event = Schemas["Event"];

/** Each resource with the singular that names of operations contain. */
interface Singular {
  projects: "project";
  partners: "partner";
  agreements: "agreement";
  milestones: "milestone";
  statements: "statement";
  figures: "figure";
  indicators: "indicator";
  documents: "document";
  places: "place";
  transactions: "transaction";
}
export type Resource = keyof Singular;

type Operation<Name extends string> = Name extends keyof operations ? operations[Name] : never;
type Answer<Name extends string> = Operation<Name> extends {
  responses: { 200: { content: { "application/json": infer Body } } };
}
  ? Body
  : never;
type Body<Name extends string> = Operation<Name> extends { requestBody: { content: { "application/json": infer Sent } } }
  ? Sent
  : never;
/** Parameters of a query string. Names in `include` and `fields` can be a list. */
type Query<Name extends string> = Operation<Name> extends { parameters: { query?: infer Parameters } }
  ? Omit<NonNullable<Parameters>, "include" | "fields" | "cursor" | "total"> & { include?: Names }
  : never;

export type Names = string | readonly string[];
export type Page<R extends Resource> = Answer<`list_${R}`>;
export type PartialPage<R extends Resource> = Answer<`select_${R}`>;
export type Item<P> = P extends { items: (infer One)[] } ? One : never;
export type Filters<R extends Resource> = Query<`list_${R}`>;
export type Detail<R extends Resource> = Answer<`read_${Singular[R]}`>;
export type DetailQuery<R extends Resource> = Query<`read_${Singular[R]}`>;
export type Fields<R extends Resource> = Body<`create_${Singular[R]}`>;
export type Changes<R extends Resource> = Body<`patch_${Singular[R]}`>;
export type SearchQuery = Omit<Query<"search">, "q" | "include">;
export type FeedQuery = Omit<Query<"read_changes">, "after" | "chain" | "include">;
