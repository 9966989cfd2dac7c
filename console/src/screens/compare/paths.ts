// The paths of two runs, token by token: where they part, and how long each step took.
import type { Entry } from "../../api/types";
import { visits } from "../run/visits";

/** Where two runs part. `same` is how many moves of the token they share; a side is null if its token moved no further. */
export interface Difference {
  token: string;
  same: number;
  left: Entry | null;
  right: Entry | null;
}

export interface Read {
  entries: readonly Entry[];
  isComplete: boolean;
}

/** The moves of each token, in order. Tokens of branches and items move at their own pace, so each is a path. */
export function pathsOf(entries: readonly Entry[]): Map<string, Entry[]> {
  const found = new Map<string, Entry[]>();
  for (const one of entries) {
    if (!one.to) continue;
    const path = found.get(one.token);
    if (path) path.push(one);
    else found.set(one.token, [one]);
  }
  return found;
}

export function isSameMove(left: Entry, right: Entry): boolean {
  return left.step === right.step && left.from === right.from && left.state === right.state && left.to === right.to;
}

/** The first difference in the order of the left run; null: there is none in what was read. */
export function firstDifference(left: Read, right: Read): Difference | null {
  const [ours, theirs] = [pathsOf(left.entries), pathsOf(right.entries)];
  let first: Difference | null = null;
  for (const token of new Set([...ours.keys(), ...theirs.keys()])) {
    const found = inToken(token, ours.get(token) ?? [], theirs.get(token) ?? [], left, right);
    if (found && (!first || placeOf(found) < placeOf(first))) first = found;
  }
  return first;
}

function inToken(token: string, ours: readonly Entry[], theirs: readonly Entry[], left: Read, right: Read): Difference | null {
  let same = 0;
  for (; same < Math.min(ours.length, theirs.length); same++) {
    const [a, b] = [ours[same], theirs[same]];
    if (a && b && !isSameMove(a, b)) return { token, same, left: a, right: b };
  }
  const [a, b] = [ours[same] ?? null, theirs[same] ?? null];
  if (!a && !b) return null;
  // Of a history that was read in part, what is missing may still come.
  if ((!a && !left.isComplete) || (!b && !right.isComplete)) return null;
  return { token, same, left: a, right: b };
}

function placeOf(one: Difference): number {
  return Math.min(one.left?.seq ?? Infinity, one.right?.seq ?? Infinity);
}

export interface StepTime {
  step: string;
  left: { visits: number; milliseconds: number };
  right: { visits: number; milliseconds: number };
}

/** How long the runs were at each step, all visits together; the largest difference first. */
export function timesOf(left: readonly Entry[], right: readonly Entry[], ends: readonly [number, number]): StepTime[] {
  const found = new Map<string, StepTime>();
  for (const [side, entries, end] of [["left", left, ends[0]], ["right", right, ends[1]]] as const)
    for (const visit of visits(entries, end)) {
      const one = found.get(visit.step) ?? { step: visit.step, left: { visits: 0, milliseconds: 0 }, right: { visits: 0, milliseconds: 0 } };
      one[side].visits += 1;
      one[side].milliseconds += visit.end - visit.begin;
      found.set(visit.step, one);
    }
  const gap = (one: StepTime): number => Math.abs(one.left.milliseconds - one.right.milliseconds);
  return [...found.values()].sort((a, b) => gap(b) - gap(a));
}
