// Everything that matches, as a file: read page by page, with progress, which can be stopped.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, call, type Query } from "../../api/client";
import type { RunSummary } from "../../api/types";
import { Dialog, Problem } from "../../ui/parts";
import { csvLine, save } from "../../ui/save";
import { count } from "../../ui/text";
import { rest } from "../../ui/together";
import { words } from "../../words/en";
import type { Column } from "./columns";

export type Format = "csv" | "jsonl";

const PAGE = 1_000;
const SECOND = 1_000;

interface Props {
  format: Format;
  filters: Query;
  columns: readonly Column[];
  close: () => void;
}

export function Export({ format, filters, columns, close }: Props): JSX.Element {
  const [control] = useState(() => new AbortController());
  const [read, setRead] = useState(0);
  const [total, setTotal] = useState<number | null>(null);
  const [state, setState] = useState<"reading" | "done" | "stopped">("reading");
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    // What begins later does not slip in.
    const frozen = { ...filters, until: filters["until"] ?? new Date().toISOString() };
    void countAll(frozen, control.signal).then(setTotal, () => null);
    everything(frozen, control.signal, setRead).then(
      (runs) => {
        save(`runs.${format}`, format === "csv" ? csvOf(runs, columns) : runs.map((one) => `${JSON.stringify(one)}\n`));
        setState("done");
      },
      (problem: unknown) => (control.signal.aborted ? setState("stopped") : setError(problem as Error)),
    );
    return () => control.abort();
  }, []);
  return (
    <Dialog title={words.exportAs(format.toUpperCase())} close={close}>
      <progress {...(total ? { max: Math.max(total, read), value: read } : {})} aria-label={words.progress} />
      <p aria-live="polite">{state === "stopped" ? words.exportStopped(count(read)) : words.exported(count(read), total === null ? null : count(total), state === "done")}</p>
      {error ? <Problem error={error} /> : null}
      <p class="actions">
        {state === "reading" && !error ? (
          <button type="button" onClick={() => control.abort()}>
            {words.stop}
          </button>
        ) : (
          <button type="button" class="primary" onClick={close}>
            {words.close}
          </button>
        )}
      </p>
    </Dialog>
  );
}

async function countAll(filters: Query, signal: AbortSignal): Promise<number | null> {
  const found = await call<{ counts: Record<string, number>; more: boolean }>("GET", "/flowrun/count", { query: filters, signal });
  return found.data.more ? null : Object.values(found.data.counts).reduce((sum, one) => sum + one, 0);
}

async function everything(filters: Query, signal: AbortSignal, show: (read: number) => void): Promise<RunSummary[]> {
  const runs: RunSummary[] = [];
  let cursor: string | null = null;
  do {
    const found: { data: RunSummary[]; cursor: string | null } = await patientCall(filters, cursor, signal);
    signal.throwIfAborted();
    runs.push(...found.data);
    cursor = found.cursor;
    show(runs.length);
  } while (cursor);
  return runs;
}

/** Read a page; while the server asks to wait, wait. */
async function patientCall(filters: Query, cursor: string | null, signal: AbortSignal): ReturnType<typeof call<RunSummary[]>> {
  for (;;) {
    try {
      return await call<RunSummary[]>("GET", "/flowrun", { query: { view: "summary", limit: PAGE, ...filters, cursor }, signal });
    } catch (error) {
      if (!(error instanceof ApiError) || error.retryAfter === null) throw error;
      await rest(signal, error.retryAfter * SECOND);
      signal.throwIfAborted();
    }
  }
}

export function csvOf(runs: readonly RunSummary[], columns: readonly Column[]): string[] {
  return [csvLine(columns.map((one) => one.name)), ...runs.map((run) => csvLine(columns.map((one) => one.text(run))))];
}
