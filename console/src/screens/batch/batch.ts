// A command over many runs, as the server has it.
import type { Json } from "../../api/types";

export const COMMANDS = ["retry", "pause", "continue", "stop", "delete"] as const;
export type Outcome = "done" | "would" | "refused" | "missing" | "busy";

export interface BatchCommand {
  do: (typeof COMMANDS)[number];
  /** The runs by name, or the filters that they match: those that match when the command begins, and no later ones. */
  select: { names: string[] } | Record<string, Json>;
  count: number;
}

export interface Result {
  run: string;
  outcome: Outcome;
  reason: string;
}

export interface Batch {
  id: string;
  status: "collecting" | "running" | "stopped" | "done";
  do: string;
  with: Record<string, Json>;
  select: Record<string, Json>;
  dry_run: boolean;
  rate: number;
  by: string;
  created_at: string;
  ended_at: string | null;
  matched: number;
  done: number;
  would: number;
  refused: number;
  missing: number;
  busy: number;
  left: number;
  results?: Result[];
}

export function isRunning(batch: Batch): boolean {
  return batch.status === "collecting" || batch.status === "running";
}

/** How many runs were not commanded. */
export function failuresOf(batch: Batch): number {
  return batch.refused + batch.missing + batch.busy;
}
