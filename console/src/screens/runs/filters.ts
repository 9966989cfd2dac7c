// The filters of a list of runs: they are in the address, and the server applies them.
import type { Query } from "../../api/client";

export const STATUSES = ["pending", "running", "paused", "compensating", "completing", "canceling", "succeeded", "failed", "canceled"] as const;
export const FILTERS = ["status", "flow", "version", "label", "error", "name_prefix", "since", "until", "parent", "undo", "waiting_for", "due_before"] as const;

/** The filters of the address, as the call takes them. `since=24h` is a length from now. */
export function filtersOf(query: URLSearchParams, now = Date.now()): Query {
  const found: Record<string, string | string[]> = {};
  for (const name of FILTERS) {
    const values = query.getAll(name).filter(Boolean);
    const [first] = values;
    if (!first) continue;
    if (name === "label") found[name] = values;
    else if (name === "since" && /^\d+[mhd]$/.test(first)) found[name] = new Date(now - lengthOf(first)).toISOString();
    else found[name] = first;
  }
  return found;
}

function lengthOf(text: string): number {
  const unit = { m: 60_000, h: 3_600_000, d: 86_400_000 }[text.at(-1) as "m" | "h" | "d"];
  return Number(text.slice(0, -1)) * unit;
}

/** The filters among what an address has. */
export function givenFilters(query: URLSearchParams): [string, string][] {
  return [...query].filter(([name, value]) => value && (FILTERS as readonly string[]).includes(name));
}

/** An address without one of its filters. */
export function without(query: URLSearchParams, name: string, value: string): URLSearchParams {
  const next = new URLSearchParams();
  for (const [other, given] of query) if (other !== name || given !== value) next.append(other, given);
  return next;
}
