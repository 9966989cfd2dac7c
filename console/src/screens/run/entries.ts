// The entries of a history by their numbers. Any place is reached without reading what is before it.
import type { Entry } from "../../api/types";

/** How many entries a page has. */
export const PAGE = 1_000;

/** What is known of a history: entry `seq` is at the index `seq - 1`, and there are holes where nothing was read. */
export interface Entries {
  /** The number of the newest entry that is known. */
  last: number;
  known: readonly (Entry | undefined)[];
}

export const NO_ENTRIES: Entries = { last: 0, known: [] };

/** Put entries in their places. */
export function withEntries(before: Entries, found: readonly Entry[], last = 0): Entries {
  if (!found.length && last <= before.last) return before;
  const known = [...before.known];
  for (const one of found) known[one.seq - 1] = one;
  return { known, last: Math.max(before.last, last, ...found.slice(-1).map((one) => one.seq), ...found.slice(0, 1).map((one) => one.seq)) };
}

/** A page of a history: the entries after `after` and before `before`. */
export interface Place {
  after: number;
  before: number;
}

/** The page that must be read to know the entries from `first` to `last`; null: all are known, or are being read. */
export function missing(entries: Entries, first: number, last: number, reading: Iterable<Place>): Place | null {
  let low = Math.max(1, first);
  let high = Math.min(entries.last, last);
  while (low <= high && entries.known[low - 1]) low++;
  while (high >= low && entries.known[high - 1]) high--;
  if (low > high) return null;
  for (const one of reading) if (one.after < low && high < one.before) return null;
  const middle = Math.floor((low + high) / 2);
  const after = Math.max(0, Math.min(low - 1, middle - PAGE / 2));
  return { after, before: after + PAGE + 1 };
}

/** The newest entries without a hole, oldest first. */
export function newest(entries: Entries): Entry[] {
  const found: Entry[] = [];
  for (let seq = entries.last; seq > 0; seq--) {
    const one = entries.known[seq - 1];
    if (!one) break;
    found.push(one);
  }
  return found.reverse();
}

/** Whether an entry is about a failure, as the filter of the server sees it. */
export function isFailure(entry: Entry): boolean {
  return Boolean(entry.error || entry.error_name);
}
