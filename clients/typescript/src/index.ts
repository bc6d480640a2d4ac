// A client of Hoptac registries for browsers and Node.js.
import { type Content, type Options, type Parameters, type Seen, send, UnexpectedResponse } from "./requests.js";
import type {
  Changes,
  ChangesPage,
  Detail,
  DetailQuery,
  FeedQuery,
  Fields,
  Filters,
  Item,
  Names,
  Page,
  PartialPage,
  Resource,
  SearchPage,
  SearchQuery,
} from "./types.js";

export { type Options, ProblemError, UnexpectedResponse, Unreachable } from "./requests.js";
export type * from "./types.js";

/** A list of the registry. Iterating over it reads one page after the other. */
export class Listing<P> implements AsyncIterable<Item<P>> {
  constructor(
    private readonly client: Hoptac,
    private readonly path: string,
    private readonly query: Parameters,
  ) {}

  /** Yield whole pages, which also have `included`, `hints` and the like. */
  async *pages(): AsyncGenerator<P> {
    let path: string | null = this.path;
    let query = this.query;
    while (path !== null) {
      const page: P & { next: string | null } = await this.client.get(path, query);
      yield page as Awaited<P>;
      path = page.next;
      query = {};
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item<P>> {
    for await (const page of this.pages()) yield* (page as { items: Item<P>[] }).items;
  }

  /** Return the first item, or undefined if there is none. */
  async first(): Promise<Item<P> | undefined> {
    for await (const item of this) return item;
    return undefined;
  }

  /** Return all items, which should not be too many. */
  async all(): Promise<Item<P>[]> {
    const items: Item<P>[] = [];
    for await (const item of this) items.push(item);
    return items;
  }

  /** Return the number of all items, without reading them. */
  async count(): Promise<number> {
    const query = { ...this.query, limit: 1, total: true, include: undefined };
    return (await this.client.get<{ total: number }>(this.path, query)).total;
  }
}

/** A registry. */
export class Hoptac {
  private readonly base: URL;
  private readonly seen: Seen = { sequence: 0 };

  constructor(
    url = "http://127.0.0.1:8000",
    private readonly options: Options = {},
  ) {
    this.base = new URL(url.endsWith("/") ? url : `${url}/`);
  }

  /** List the records of a resource, under filters. */
  list<R extends Resource>(resource: R, filters: Filters<R> = {} as Filters<R>): Listing<Page<R>> {
    return new Listing(this, `/v1/${resource}`, { limit: 100, ...filters });
  }

  /** List only some fields of the records of a resource. */
  select<R extends Resource>(resource: R, fields: Names, filters: Filters<R> = {} as Filters<R>): Listing<PartialPage<R>> {
    return new Listing(this, `/v1/${resource}/select`, { limit: 100, ...filters, fields });
  }

  /** Return a record, with the linked records that `include` names. */
  async read<R extends Resource>(resource: R, id: string, query: DetailQuery<R> = {} as DetailQuery<R>): Promise<Detail<R>> {
    return (await this.readWithETag(resource, id, query))[0];
  }

  /** Return a record and its ETag, which a write needs. */
  async readWithETag<R extends Resource>(
    resource: R,
    id: string,
    query: DetailQuery<R> = {} as DetailQuery<R>,
  ): Promise<[Detail<R>, string]> {
    const response = await this.send(recordPath(resource, id), query as Parameters);
    return [(await json(response)) as Detail<R>, response.headers.get("etag") ?? ""];
  }

  /** Search all resources, the best hits first. */
  search(q: string, query: SearchQuery = {}): Listing<SearchPage> {
    return new Listing(this, "/v1/search", { ...query, q });
  }

  /**
   * Yield the pages of the change feed. `from` is 0, the sequence of an archive, or the `next` of the last page that the
   * program has processed and stored. With `wait` it waits for further changes, and ends otherwise.
   */
  async *changes(from: number | string, query: FeedQuery = {}): AsyncGenerator<ChangesPage> {
    const { wait, ...filters } = query;
    let page = await this.get<ChangesPage>(...feedRequest(from, filters));
    for (;;) {
      yield page;
      const hasMore = Number(new URL(page.next, this.base).searchParams.get("after")) < page.last;
      if (!hasMore && !wait) return;
      page = await this.get<ChangesPage>(page.next, hasMore ? {} : { wait });
    }
  }

  /** Create a record, whose id is made of its title. A repetition creates no second record. */
  create<R extends Resource>(resource: R, fields: Fields<R>): Promise<Item<Page<R>>> {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    return this.write(`/v1/${resource}`, { method: "POST", body: fields, headers });
  }

  /** Create a record, or replace the version with this ETag. `*` replaces any version. */
  put<R extends Resource>(resource: R, id: string, fields: Fields<R>, ifMatch?: string): Promise<Item<Page<R>>> {
    const headers: Record<string, string> = ifMatch === undefined ? {} : { "If-Match": ifMatch };
    return this.write(recordPath(resource, id), { method: "PUT", body: fields, headers });
  }

  /** Change fields of the version with this ETag. `*` changes any version. null removes a value. */
  patch<R extends Resource>(resource: R, id: string, changes: Changes<R>, ifMatch: string): Promise<Item<Page<R>>> {
    return this.write(recordPath(resource, id), { method: "PATCH", body: changes, headers: { "If-Match": ifMatch } });
  }

  /** Delete the version with this ETag. `*` deletes any version. */
  async delete(resource: Resource, id: string, ifMatch: string): Promise<void> {
    await this.send(recordPath(resource, id), {}, { method: "DELETE", headers: { "If-Match": ifMatch } });
  }

  /** Return the JSON of any path, such as `/v1/figures/aggregate`. */
  async get<T = unknown>(path: string, query: Parameters = {}): Promise<T> {
    return (await json(await this.send(path, query))) as T;
  }

  private async write<T>(path: string, content: Content): Promise<T> {
    return (await json(await this.send(path, {}, content))) as T;
  }

  private send(path: string, query: Parameters, content?: Content): Promise<Response> {
    return send(this.url(path, query), this.options, this.seen, content);
  }

  /** Return the URL of a path below the address of the registry, or of a `next` from the root of its host. */
  private url(path: string, query: Parameters): URL {
    const prefix = this.base.pathname;
    const url = new URL(path.startsWith(prefix) ? path.slice(prefix.length) : path.replace(/^\//, ""), this.base);
    if (url.origin !== this.base.origin) throw new TypeError("This is not a path of the registry."); // it must not get the key
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined) continue;
      const isJoined = name === "include" || name === "fields";
      const values: unknown[] = Array.isArray(value) && !isJoined ? value : [value];
      for (const item of values) url.searchParams.append(name, String(item)); // String joins a list with commas
    }
    return url;
  }
}

function recordPath(resource: Resource, id: string): string {
  return `/v1/${resource}/${encodeURIComponent(id)}`;
}

function feedRequest(from: number | string, filters: Parameters): [string, Parameters] {
  return typeof from === "number" ? ["/v1/changes", { ...filters, after: from }] : [from, {}];
}

async function json(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    throw new UnexpectedResponse(response);
  }
}
