// A list of runs, as far as it was read; its rows do not move when runs arrive.
import { useEffect, useRef, useState } from "preact/hooks";
import type { RunSummary } from "../../api/types";
import { useLoad } from "../../ui/load";
import { filtersOf } from "./filters";
import { AHEAD, before, countOf, placeOf, readPage, refreshed, runAt, withPage, type Pages } from "./pages";

export interface RunList {
  list: Pages;
  count: number;
  isComplete: boolean;
  loading: boolean;
  error: Error | null;
  /** About how many match, if the server knows it. */
  total: number | null;
  /** How many runs have arrived since the list was read. */
  arrived: number;
  /** How many of those that are shown no longer match. */
  left: number;
  at: (row: number) => RunSummary | null;
  need: (first: number, last: number) => void;
  showNew: () => void;
  reload: () => void;
}

export function useList(query: URLSearchParams): RunList {
  const key = keyOf(query);
  const first = useLoad(`runs?${key}`, (signal) => readPage(filtersOf(query), null, 0, signal));
  const [state, setState] = useState<Pages>({ key: "", pages: [], next: null });
  const [problem, setProblem] = useState<Error | null>(null);
  const [inView, setInView] = useState<{ cursor: string; before: number } | null>(null);
  const now = useRef(state);
  const reading = useRef(new Set<string>());
  const put = (next: Pages): void => {
    now.current = next;
    setState(next);
  };
  const begin = (): void => {
    if (first.data) put(withPage({ key, pages: [], next: null }, 0, first.data.data, first.data.cursor));
    setProblem(null);
  };
  useEffect(() => {
    if (!first.data) return;
    if (now.current.key !== key || !countOf(now.current)) begin();
    else put(refreshed(now.current, first.data.data));
  }, [first.data, key]);
  // Of what is scrolled to, only the page in view is read again.
  const shown = useLoad(
    `runs?${key}&cursor=${inView?.cursor}`,
    (signal) => (inView ? readPage(filtersOf(query), inView.cursor, inView.before, signal) : Promise.resolve(null)),
    inView ? undefined : 0,
  );
  useEffect(() => {
    if (shown.data) put(refreshed(now.current, shown.data.data));
  }, [shown.data]);
  const read = (page: number): void => {
    const list = now.current;
    const cursor = page < list.pages.length ? list.pages[page]?.cursor : list.next;
    if (cursor === undefined || (cursor === null && page > 0)) return;
    const place = `${key} ${page}`;
    if (reading.current.has(place)) return;
    reading.current.add(place);
    readPage(filtersOf(query), cursor, before(list, page))
      .then(
        (found) => {
          if (now.current.key === key && page <= now.current.pages.length) put(withPage(now.current, page, found.data, found.cursor));
          setProblem(null);
        },
        (error: unknown) => setProblem(error as Error),
      )
      .finally(() => reading.current.delete(place));
  };
  const list = state.key === key ? state : { key, pages: [], next: null };
  const count = countOf(list);
  const need = (from: number, last: number): void => {
    if (now.current.key !== key) return;
    for (const row of [from, Math.max(from, last - 1)]) {
      const place = placeOf(now.current, row);
      if (place && !now.current.pages[place.page]?.runs) read(place.page);
    }
    const top = placeOf(now.current, from);
    const cursor = top && top.page > 0 ? now.current.pages[top.page]?.cursor : null;
    setInView((old) => (cursor && top ? (old?.cursor === cursor ? old : { cursor, before: before(now.current, top.page) }) : null));
    if (now.current.next && last > countOf(now.current) - AHEAD) read(now.current.pages.length);
  };
  const changed = first.data ? changesOf(list, first.data.data, first.data.cursor === null) : { arrived: 0, left: 0 };
  return {
    list,
    count,
    isComplete: list.pages.length > 0 && list.next === null,
    loading: first.loading,
    error: first.error ?? problem,
    total: first.data?.total ?? null,
    ...changed,
    at: (row) => runAt(list, row),
    need,
    showNew: begin,
    reload: first.reload,
  };
}

/** What has changed in the first page since it was read: runs that it had not, and runs that it has no more. */
function changesOf(list: Pages, fresh: readonly RunSummary[], isAll: boolean): { arrived: number; left: number } {
  const first = list.pages[0]?.runs;
  if (!first) return { arrived: 0, left: 0 };
  const known = new Set(list.pages.flatMap((page) => page.runs ?? []).map((one) => one.metadata.uuid));
  const now = new Set(fresh.map((one) => one.metadata.uuid));
  // Below the last one that is known, the page has runs that were never read: they are not new.
  const end = list.next === null ? fresh.length : fresh.findLastIndex((one) => known.has(one.metadata.uuid)) + 1;
  const oldest = isAll ? "" : (fresh.at(-1)?.spec.created_at ?? "");
  return {
    arrived: fresh.slice(0, first.length ? end : fresh.length).filter((one) => !known.has(one.metadata.uuid)).length,
    left: first.filter((one) => !now.has(one.metadata.uuid) && one.spec.created_at >= oldest).length,
  };
}

/** What of the address decides which runs there are: not the columns. */
function keyOf(query: URLSearchParams): string {
  const found = new URLSearchParams(query);
  found.delete("cols");
  return found.toString();
}
