// The statuses of the items of an each, by index: one byte for each item.
export const STATUSES = ["unknown", "waiting", "running", "done", "failed"] as const;
export type ItemStatus = (typeof STATUSES)[number];

export interface Span {
  status: Exclude<ItemStatus, "unknown">;
  first: number;
  count: number;
}

/** The status of every item; items between the spans are not known. */
export function codesOf(spans: readonly Span[]): Uint8Array {
  const last = spans.at(-1);
  const codes = new Uint8Array(last ? last.first + last.count : 0);
  for (const one of spans) codes.fill(STATUSES.indexOf(one.status), one.first, one.first + one.count);
  return codes;
}

/** The indexes of the items with that status, in order; empty text: all. */
export function indexesOf(codes: Uint8Array, status: string): Uint32Array {
  const wanted = STATUSES.indexOf(status as ItemStatus);
  const found: number[] = [];
  for (let n = 0; n < codes.length; n++) if (!status || codes[n] === wanted) found.push(n);
  return Uint32Array.from(found);
}
