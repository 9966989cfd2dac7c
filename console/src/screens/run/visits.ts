// How long a run was at its steps, from its history.
import type { Entry } from "../../api/types";

export interface Visit {
  step: string;
  begin: number;
  end: number;
  failed: boolean;
}

/** The visits of steps: from the entry that led there to the one that left it. */
export function visits(entries: readonly Entry[], end: number): Visit[] {
  const open = new Map<string, Visit>();
  const found: Visit[] = [];
  for (const one of entries) {
    const at = Date.parse(one.at);
    const left = open.get(`${one.token} ${one.step}`);
    if (left && one.to) {
      left.end = at;
      left.failed = ["ERROR", "TIMEOUT"].includes(one.state);
      open.delete(`${one.token} ${one.step}`);
    } else if (one.to && one.step && one.from === one.step) {
      // What led there is not in the history (an item enters its first step), or was not read.
      found.push({ step: one.step, begin: at, end: at, failed: ["ERROR", "TIMEOUT"].includes(one.state) });
    }
    if (one.to && !["done", "stopped"].includes(one.to)) {
      const visit = { step: one.to, begin: at, end: at, failed: false };
      found.push(visit);
      open.set(`${one.token} ${one.to}`, visit);
    }
  }
  for (const visit of open.values()) visit.end = end;
  return found;
}

/** Where a moment is on a line from 0 to 1. */
export type Scale = (at: number) => number;

/** A line on which time passes evenly. */
export function evenly(begin: number, end: number): Scale {
  return (at) => (at - begin) / Math.max(1, end - begin);
}

/** How many times as long as a usual one a span without any event may be before it is shortened. */
const IDLE = 4;

/** A line on which long spans without any event are short, in the order of events. */
export function withoutIdle(found: readonly Visit[]): Scale {
  const times = [...new Set(found.flatMap((one) => [one.begin, one.end]))].sort((a, b) => a - b);
  const gaps = times.slice(1).map((at, n) => at - (times[n] ?? at));
  const usual = [...gaps].sort((a, b) => a - b)[Math.floor((gaps.length - 1) / 2)] ?? 1;
  const longest = Math.max(1, usual * IDLE);
  const places = new Map<number, number>([[times[0] ?? 0, 0]]);
  let place = 0;
  gaps.forEach((gap, n) => {
    place += Math.min(gap, longest);
    places.set(times[n + 1] ?? 0, place);
  });
  return (at) => (places.get(at) ?? 0) / Math.max(1, place);
}
