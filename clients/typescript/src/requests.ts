// One request with its repetitions, and the errors that it can end with.
import type { Problem } from "./types.js";

/** The registry responded with a problem (RFC 9457). `code` is stable and says which one. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  constructor(readonly problem: Problem) {
    const errors = problem.errors.map((error) => `${error.pointer ?? error.parameter}: ${error.detail}`);
    super([`${problem.status} ${problem.title}. ${problem.detail}`, ...errors].join("\n  "));
  }
  get status(): number {
    return this.problem.status;
  }
  get code(): string {
    return this.problem.code;
  }
}

/** The response is not one of a registry. Perhaps the address is wrong, or a proxy has sent it. */
export class UnexpectedResponse extends Error {
  override readonly name = "UnexpectedResponse";
  constructor(readonly response: Response) {
    super(`${response.url} responded with ${response.status}. Is it a registry?`);
  }
}

/** No response was received, also after the repetitions. `cause` is the error of `fetch`. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

export interface Options {
  /** The token of a key, which only writes need. Do not put it into a page that others can open. */
  key?: string;
  /** How often a request is sent again, if the registry did not process it. */
  retries?: number;
  /** Seconds. A problem that asks for a longer pause is thrown at once. */
  longestPause?: number;
  /** Seconds until a request without a response ends. */
  timeout?: number;
  /** Language of problems, such as `vi`. */
  language?: string;
  fetch?: typeof fetch;
}

export type Parameters = Record<string, unknown>;
export interface Content {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
}

const BUSY = [429, 502, 503, 504]; // the registry or a proxy did not process the request

const AT_LEAST = "Hoptac-At-Least";

/** The latest state of the registry that a client has seen: the number of a Change. 0: none. */
export interface Seen {
  sequence: number;
}

/**
 * Send a request until it has a response, and return the response if it is a success. It shows no earlier state of the
 * registry than those before it. If the registry was restored to an earlier state, that state is forgotten.
 */
export async function send(url: URL, options: Options, seen: Seen, content: Content = {}): Promise<Response> {
  const retries = options.retries ?? 4;
  for (let attempt = 0; ; attempt++) {
    const least = asksForState(options) ? seen.sequence : 0;
    const outcome = await once(url, options, content, least);
    if (least && outcome instanceof Response && (await isNotReached(outcome))) {
      seen.sequence = 0;
      attempt--;
      continue;
    }
    if (outcome instanceof Response) {
      seen.sequence = Math.max(seen.sequence, Number(outcome.headers.get("hoptac-sequence") ?? 0));
    }
    const pause = pauseAfter(outcome, content, attempt);
    if (pause === undefined || pause > (options.longestPause ?? 60) || attempt >= retries) return success(url, outcome);
    await new Promise((done) => setTimeout(done, pause * 1000));
  }
}

/** Return whether to send the header. It costs a page without a key one more request, a preflight, for each URL. */
function asksForState(options: Options): boolean {
  return options.key !== undefined || !("document" in globalThis);
}

async function isNotReached(response: Response): Promise<boolean> {
  if (response.status !== 412) return false;
  const problem = (await response.clone().json()) as Partial<Problem>;
  return problem.code === "not_reached";
}

async function once(url: URL, options: Options, content: Content, least: number): Promise<Response | Error> {
  const headers: Record<string, string> = { Accept: "application/json", ...content.headers };
  if (options.key) headers["Authorization"] = `Bearer ${options.key}`;
  if (options.language) headers["Accept-Language"] = options.language;
  if (least) headers[AT_LEAST] = String(least);
  const init: RequestInit = { method: content.method ?? "GET", headers };
  if (content.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(content.body);
  }
  const wait = Number(url.searchParams.get("wait") ?? 0); // the registry responds later on request
  init.signal = AbortSignal.timeout(((options.timeout ?? 30) + wait) * 1000);
  try {
    return await (options.fetch ?? fetch)(url, init);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function success(url: URL, outcome: Response | Error): Promise<Response> {
  if (outcome instanceof Error) throw new Unreachable(`${url.origin}${url.pathname} cannot be reached`, { cause: outcome });
  if (outcome.ok) return outcome;
  if (!outcome.headers.get("content-type")?.startsWith("application/problem+json")) throw new UnexpectedResponse(outcome);
  throw new ProblemError((await outcome.json()) as Problem);
}

/** Return the seconds until the request should be sent again, or undefined if it should not. */
function pauseAfter(outcome: Response | Error, content: Content, attempt: number): number | undefined {
  const pause = 0.5 * 2 ** attempt * (0.75 + Math.random() / 2);
  if (outcome instanceof Error) return isRepeatable(content) ? pause : undefined;
  if (!BUSY.includes(outcome.status)) return undefined;
  if (outcome.status !== 429 && outcome.status !== 503 && !isRepeatable(content)) return undefined;
  return Math.max(pause, retryAfter(outcome.headers.get("retry-after") ?? ""));
}

/** Return whether a second request has no further effect if the response to the first one was lost. */
function isRepeatable({ method = "GET", headers = {} }: Content): boolean {
  if (method === "POST") return "Idempotency-Key" in headers;
  return method === "GET" || (method !== "PATCH" && (headers["If-Match"] ?? "*") === "*");
}

/** Return the seconds in the header Retry-After, which can also contain a date. */
function retryAfter(value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, (date - Date.now()) / 1000);
}
