// The history of a run: its newest entries first, others when they come into view, and new ones as they happen.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { at, call } from "../../api/client";
import type { Entry } from "../../api/types";
import { patiently, rest, together } from "../../ui/together";
import { missing, NO_ENTRIES, PAGE, withEntries, type Entries, type Place } from "./entries";

const WAIT_S = 20;
const IMPATIENT_MS = 2_000;

export interface History {
  entries: Entries;
  error: Error | null;
  /** Read the entries from `first` to `last` that are not known yet. */
  need: (first: number, last: number) => void;
  retry: () => void;
}

export function useHistory(name: string, live: boolean): History {
  const [state, setState] = useState<{ name: string; entries: Entries; error: Error | null }>({ name, entries: NO_ENTRIES, error: null });
  const [turn, setTurn] = useState(0);
  const now = useRef(state.entries);
  const pending = useRef(new Set<Place>());
  const history = `${at("flowrun", name)}/history`;
  const add = useCallback(
    (found: readonly Entry[]) => {
      now.current = withEntries(now.current, found);
      setState({ name, entries: now.current, error: null });
    },
    [name],
  );
  const fail = useCallback((error: unknown) => setState((old) => ({ ...old, error: error as Error })), []);
  useEffect(() => {
    const control = new AbortController();
    now.current = NO_ENTRIES;
    pending.current.clear();
    call<Entry[]>("GET", history, { query: { order: "desc", limit: PAGE, values: "short" }, signal: control.signal }).then(
      (found) => add(found.data),
      (error: unknown) => control.signal.aborted || fail(error),
    );
    return () => control.abort();
  }, [name, turn]);
  const begun = state.name === name && state.entries.last > 0;
  useEffect(() => {
    if (!live || !begun) return;
    const work = async (passOn: (found: Entry[]) => void, signal: AbortSignal): Promise<void> => {
      while (!signal.aborted) {
        let isPatient = true;
        const found = await patiently((may) => {
          isPatient = may;
          return call<Entry[]>("GET", `${at("flowrun", name)}/watch`, { query: { after: now.current.last, wait: may ? WAIT_S : 0, values: "short" }, signal });
        }).catch((error: unknown) => {
          if (!signal.aborted) fail(error);
          throw error;
        });
        add(found.data);
        if (found.data.length) passOn(found.data);
        if (!isPatient) await rest(signal, IMPATIENT_MS);
      }
    };
    return together<Entry[]>(`history ${name}`, add, work);
  }, [name, live, begun]);
  const need = useCallback(
    (first: number, last: number) => {
      const page = missing(now.current, first, last, pending.current);
      if (!page) return;
      pending.current.add(page);
      call<Entry[]>("GET", history, { query: { after: page.after, before: page.before, limit: PAGE, values: "short" } })
        .then((found) => add(found.data), fail)
        .finally(() => pending.current.delete(page));
    },
    [name],
  );
  const entries = state.name === name ? state.entries : NO_ENTRIES;
  return useMemo(() => ({ entries, error: state.name === name ? state.error : null, need, retry: () => setTurn((old) => old + 1) }), [entries, state.error, name, need]);
}

export interface Filter {
  step: string;
  token: string;
  failed: boolean;
  find: string;
}

export interface Found {
  /** Those that match, the newest first. */
  entries: Entry[];
  /** How many entries were looked through. */
  read: number;
  isComplete: boolean;
  busy: boolean;
  error: Error | null;
  more: () => void;
}

interface FoundState {
  key: string;
  entries: Entry[];
  read: number;
  cursor: string | null;
  busy: boolean;
  error: Error | null;
}

/** The entries that match a filter, as the server finds them; new ones (`last` grows) are asked for as they happen. */
export function useFound(name: string, filter: Filter | null, last: number): Found | null {
  const key = JSON.stringify([name, filter]);
  const [state, setState] = useState<FoundState>({ key: "", entries: [], read: 0, cursor: null, busy: false, error: null });
  const from = useRef({ key: "", last: 0 });
  const query = filter ? { step: filter.step, token: filter.token, failed: filter.failed || null, find: filter.find, order: "desc", values: "short", limit: 200 } : {};
  const read = (old: FoundState, more: Record<string, string | number>, isNew = false): void => {
    setState({ ...old, busy: true, error: null });
    call<Entry[]>("GET", `${at("flowrun", name)}/history`, { query: { ...query, ...more } }).then(
      (found) =>
        setState((now) => {
          if (now.key !== key) return now;
          const entries = isNew ? [...found.data, ...now.entries] : [...now.entries, ...found.data];
          return { ...now, entries, read: readSoFar(now.read, found.read, found.cursor === null ? last : now.read), cursor: isNew ? now.cursor : found.cursor, busy: false };
        }),
      (error: unknown) => setState((now) => (now.key === key ? { ...now, busy: false, error: error as Error } : now)),
    );
  };
  useEffect(() => {
    if (!filter || !last) return;
    if (from.current.key !== key) read({ key, entries: [], read: 0, cursor: null, busy: true, error: null }, {});
    else if (last > from.current.last) read(state, { after: from.current.last }, true);
    from.current = { key, last };
  }, [key, last]);
  if (!filter) return null;
  const here = state.key === key ? state : { ...state, entries: [], read: 0, cursor: null, busy: true };
  const more = (): void => {
    if (here.cursor && !here.busy) read(state, { cursor: here.cursor });
  };
  return { entries: here.entries, read: here.read, isComplete: here.cursor === null && !here.busy, busy: here.busy, error: here.error, more };
}

/** How many entries were looked through; a page of another origin cannot see what the server says of it. */
function readSoFar(before: number, now: number | null, otherwise: number): number {
  return now === null ? otherwise : before + now;
}
