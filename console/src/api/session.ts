// Who uses the page: the server, the token, the namespace, and whether they are kept on this computer. Several of them
// may be known; one is in use.
import { store } from "../ui/store";

export interface Session {
  /** The address of the server; empty: the one that serves the page. */
  server: string;
  token: string;
  namespace: string;
  kept: boolean;
}

/** A session that can be used again, and what its server calls its token. */
export interface Identity extends Session {
  who: string;
}

const KEY = "echoer.session";
const KNOWN = "echoer.identities";
const STORAGES = [sessionStorage, localStorage];

/** The addresses that the page names: `.` is the server that serves it. The first is used at first. */
export const SERVERS: readonly string[] = namedServers();

function namedServers(): string[] {
  const named = document.querySelector<HTMLMetaElement>('meta[name="echoer-servers"]')?.content ?? "";
  const found = named.split(/\s+/).filter(Boolean);
  return (found.length ? found : ["."]).map((one) => (one === "." ? "" : addressOf(one)));
}

/** The address as it is stored: without a slash at its end. Throws TypeError if it is none of a server. */
export function addressOf(text: string): string {
  const found = new URL(text.trim());
  if (!/^https?:$/.test(found.protocol) || found.username || found.search || found.hash) throw new TypeError(text);
  return found.href.replace(/\/+$/, "");
}

function parsed<T>(storage: Storage, key: string): T | null {
  try {
    return JSON.parse(storage.getItem(key) ?? "null") as T | null;
  } catch {
    storage.removeItem(key);
    return null;
  }
}

function read(): Session {
  for (const storage of STORAGES) {
    const found = parsed<Partial<Session>>(storage, KEY);
    if (found) return whole(found, storage === localStorage);
  }
  return { server: SERVERS[0] ?? "", token: "", namespace: "", kept: false };
}

function whole(found: Partial<Session>, kept: boolean): Session {
  return { server: found.server ?? SERVERS[0] ?? "", token: found.token ?? "", namespace: found.namespace ?? "", kept };
}

function readKnown(): Identity[] {
  return STORAGES.flatMap((storage) =>
    (parsed<Partial<Identity>[]>(storage, KNOWN) ?? []).map((one) => ({ ...whole(one, storage === localStorage), who: one.who ?? "" })),
  );
}

export const session = store<Session>(read());
export const identities = store<Identity[]>(readKnown());

/** Change the session. It is in this tab only, unless `kept`. */
export function setSession(changed: Partial<Session>): void {
  const next = { ...session.value, ...changed };
  const { kept, ...stored } = next;
  for (const storage of STORAGES) storage.removeItem(KEY);
  (kept ? localStorage : sessionStorage).setItem(KEY, JSON.stringify(stored));
  session.set(next);
}

/** Note what the server of the session calls its token, so that it can be chosen again. */
export function remember(who: string): void {
  const now: Identity = { ...session.value, who };
  const found = identities.value.findIndex((one) => isSame(one, now));
  keep(found < 0 ? [...identities.value, now] : identities.value.map((one, n) => (n === found ? now : one)));
}

export function isSame(one: Session, other: Session): boolean {
  return one.server === other.server && one.token === other.token;
}

/** Forget the token of the session. */
export function signOut(): void {
  keep(identities.value.filter((one) => !isSame(one, session.value)));
  setSession({ token: "", namespace: "" });
}

function keep(all: Identity[]): void {
  for (const [storage, kept] of [[sessionStorage, false], [localStorage, true]] as const) {
    const some = all.filter((one) => one.kept === kept).map(({ kept: _, ...one }) => one);
    if (some.length) storage.setItem(KNOWN, JSON.stringify(some));
    else storage.removeItem(KNOWN);
  }
  identities.set(all);
}

/** The server and the namespace, for keys of what is kept on this computer. */
export function scope(): string {
  return `${session.value.server || "."} ${session.value.namespace}`;
}

/** The address that paths of calls are relative to. */
export function base(server: string = session.value.server): string {
  return server ? `${server}/` : document.baseURI;
}

/** The address of a server for people: its host, and its path if it has one. */
export function shownServer(server: string = session.value.server): string {
  const found = new URL(base(server));
  return found.host + found.pathname.replace(/(index\.html)?\/*$/, "");
}

/** Forget the token and everything else that is kept on this computer. */
export function forget(): void {
  for (const storage of STORAGES) storage.clear();
  identities.set([]);
  session.set({ server: SERVERS[0] ?? "", token: "", namespace: "", kept: false });
}
