// One function makes every call of the page. It knows the server, the token and the namespace; nothing else does.
import { store } from "../ui/store";
import { base, isSame, session, shownServer, type Session } from "./session";

/** Whether the last request reached the server. */
export const reached = store(true);
/** The refusal of the token of the session, which had been accepted before. */
export const expired = store<ApiError | null>(null);

export interface Diagnostic {
  severity: "error" | "warning";
  code: string;
  message: string;
  line: number;
  column: number;
  end_line: number;
  end_column: number;
  hint: string | null;
}

/** A response that is no success. `message` is the server's own. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string,
    readonly retryAfter: number | null,
    readonly diagnostics: Diagnostic[],
    readonly more: Record<string, unknown>,
  ) {
    super(message);
  }
}

/** The request did not reach the server, or the server does not let this page read its response. */
export class Offline extends Error {
  constructor(readonly server: string) {
    super(`${shownServer(server)} cannot be reached.`);
  }
}

export interface Answer<T> {
  data: T;
  status: number;
  cursor: string | null;
  /** How many entries a filtered read looked through. */
  read: number | null;
  /** About how many there are, if the server knows it at no cost. */
  total: number | null;
}

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

export interface CallOptions {
  query?: Query;
  body?: unknown;
  text?: string;
  signal?: AbortSignal;
  /** The session of the call; by default the one in use. */
  as?: Session;
}

/** The address of a call, with its query. */
export function urlOf(path: string, query: Query = {}, server?: string): string {
  return new URL(pathOf(path, query), base(server)).href;
}

/** The path of a call, with its query, relative to the server's address. */
export function pathOf(path: string, query: Query = {}): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) found.append(name, String(one));
  }
  const text = found.toString();
  return `${path.replace(/^\//, "")}${text ? `?${text}` : ""}`;
}

/** The path of a resource: every part is encoded. */
export function at(...parts: string[]): string {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
  const response = await send(method, path, options);
  const text = await response.text();
  return {
    data: (text ? JSON.parse(text) : null) as T,
    status: response.status,
    cursor: response.headers.get("x-next-cursor"),
    read: numberIn(response, "x-read"),
    total: numberIn(response, "x-total-approx"),
  };
}

/** What a call returns as text. */
export async function textFrom(method: string, path: string, options: CallOptions = {}): Promise<string> {
  return (await send(method, path, options)).text();
}

/** What a call returns, byte by byte: for a file. */
export async function bytesOf(path: string, query: Query): Promise<Blob> {
  return (await send("GET", path, { query })).blob();
}

async function send(method: string, path: string, options: CallOptions): Promise<Response> {
  const caller = options.as ?? session.value;
  const { token, namespace } = caller;
  const headers: Record<string, string> = { accept: "application/json" };
  if (token) headers["authorization"] = `Bearer ${token}`;
  if (namespace) headers["x-echoer-namespace"] = namespace;
  let body: string | null = null;
  if (options.text !== undefined) {
    body = options.text;
    headers["content-type"] = "text/plain; charset=utf-8";
  } else if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    headers["content-type"] = "application/json";
  }
  let response: Response;
  try {
    const init: RequestInit = { method, headers, body, cache: "no-store", credentials: "omit" };
    if (options.signal) init.signal = options.signal;
    response = await fetch(urlOf(path, options.query, caller.server), init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    if (caller === session.value) reached.set(false);
    throw new Offline(caller.server);
  }
  if (caller === session.value) reached.set(true);
  if (!response.ok) {
    const problem = problemOf(response, await response.text());
    if (problem.code === "unauthorized" && !options.as && isSame(caller, session.value)) expired.set(problem);
    throw problem;
  }
  return response;
}

function numberIn(response: Response, header: string): number | null {
  const found = response.headers.get(header);
  return found === null ? null : Number(found);
}

function problemOf(response: Response, text: string): ApiError {
  let found: { message?: string; error?: Record<string, unknown> } = {};
  try {
    found = JSON.parse(text) as typeof found;
  } catch {
    found = { message: text.slice(0, 300) };
  }
  const error = found.error ?? {};
  const retry = Number(response.headers.get("retry-after"));
  return new ApiError(
    response.status,
    String(error["code"] ?? response.status),
    found.message || `HTTP ${response.status}`,
    response.headers.get("x-request-id") ?? "",
    Number.isFinite(retry) && retry > 0 ? retry : null,
    (error["diagnostics"] as Diagnostic[] | undefined) ?? [],
    error,
  );
}

/** The same call as a line for a shell. The token is named, never shown. */
export function curlOf(method: string, path: string, body?: unknown, query: Query = {}): string {
  const url = urlOf(path, query);
  const { token, namespace } = session.value;
  const parts = [`curl -X ${method} ${quoted(url)}`];
  if (token) parts.push(`-H "Authorization: Bearer $ECHOER_TOKEN"`);
  if (namespace) parts.push(`-H ${quoted(`x-echoer-namespace: ${namespace}`)}`);
  if (body !== undefined) parts.push(`-H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`);
  return parts.join(" \\\n  ");
}

/** Quote a word for a POSIX shell. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
