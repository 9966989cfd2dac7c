// The pages of a list: read when they come into view, dropped when they are far from it, and read again.
import type { Query } from "../../api/client";
import { call } from "../../api/client";
import type { RunSummary } from "../../api/types";

const PAGE = 100;
/** Who has gone through so many runs gets larger pages. */
const MANY = 1_000;
const LARGE_PAGE = 500;
/** About how many runs are kept. */
const MAX_KEPT = 5_000;
/** How many rows before the end of what is known the next page is read. */
export const AHEAD = 20;

/** A page; `runs` is null once it was dropped. `cursor` is where it begins. */
export interface Page {
  cursor: string | null;
  count: number;
  runs: RunSummary[] | null;
}

/** What is known of a list. `next` is the cursor of the page after the last one; null: there is none. */
export interface Pages {
  key: string;
  pages: readonly Page[];
  next: string | null;
}

/** Read the page at the cursor, which `before` runs come before. */
export function readPage(filters: Query, cursor: string | null, before = 0, signal?: AbortSignal): ReturnType<typeof call<RunSummary[]>> {
  return call<RunSummary[]>("GET", "/flowrun", { query: { view: "summary", limit: before < MANY ? PAGE : LARGE_PAGE, ...filters, cursor }, ...(signal ? { signal } : {}) });
}

/** How many runs come before a page. */
export function before(list: Pages, page: number): number {
  return list.pages.slice(0, page).reduce((sum, one) => sum + one.count, 0);
}

export function countOf(list: Pages): number {
  return list.pages.reduce((sum, one) => sum + one.count, 0);
}

/** The page of a row, and the place of the row in it. */
export function placeOf(list: Pages, row: number): { page: number; at: number } | null {
  let first = 0;
  for (const [page, one] of list.pages.entries()) {
    if (row < first + one.count) return { page, at: row - first };
    first += one.count;
  }
  return null;
}

export function runAt(list: Pages, row: number): RunSummary | null {
  const place = placeOf(list, row);
  return place ? (list.pages[place.page]?.runs?.[place.at] ?? null) : null;
}

/** Put a page in its place, or after the last one, and drop those that are farthest from it. */
export function withPage(list: Pages, at: number, runs: RunSummary[], next: string | null): Pages {
  const isLast = at >= list.pages.length - 1;
  const cursor = at < list.pages.length ? (list.pages[at]?.cursor ?? null) : list.next;
  const pages = [...list.pages];
  pages[at] = { cursor, count: runs.length, runs };
  const kept = pages.flatMap((one, n) => (one.runs ? [n] : []));
  let left = kept.reduce((sum, n) => sum + (pages[n]?.count ?? 0), 0);
  while (left > MAX_KEPT && kept.length > 1) {
    const far = Math.abs((kept[0] ?? 0) - at) > Math.abs((kept.at(-1) ?? 0) - at) ? kept.shift() : kept.pop();
    const page = far === undefined ? undefined : pages[far];
    if (far === undefined || !page) break;
    pages[far] = { ...page, runs: null };
    left -= page.count;
  }
  return { ...list, pages, next: isLast ? next : list.next };
}

/** The runs that are known, as they are now in `fresh`. */
export function refreshed(list: Pages, fresh: readonly RunSummary[]): Pages {
  const known = new Map(fresh.map((one) => [one.metadata.uuid, one]));
  return { ...list, pages: list.pages.map((page) => (page.runs ? { ...page, runs: page.runs.map((one) => known.get(one.metadata.uuid) ?? one) } : page)) };
}

/** The names of the runs that are here. */
export function namesIn(list: Pages): string[] {
  return list.pages.flatMap((page) => (page.runs ?? []).map((one) => one.metadata.name));
}
