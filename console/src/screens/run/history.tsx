// The history of a run as rows, the newest first: any entry by its number, or those that match.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { at, call } from "../../api/client";
import type { Entry, Run } from "../../api/types";
import { useShortcuts } from "../../ui/keys";
import { Problem, Skeleton } from "../../ui/parts";
import { Rows } from "../../ui/rows";
import { count, moment, plain, span } from "../../ui/text";
import { words } from "../../words/en";
import { isFailure } from "./entries";
import { EntryDetail } from "./entry";
import { HistoryFilters } from "./history_filters";
import { useFound, type Filter, type History as Read } from "./use_history";

export const ROW = 30;
const AHEAD = 20;

interface Props {
  run: Run;
  history: Read;
  steps: readonly string[];
  query: URLSearchParams;
  set: (changed: Record<string, string | null>) => void;
}

/** The filter that the address names; null: none. */
function filterOf(query: URLSearchParams): Filter | null {
  const filter = { step: query.get("step") ?? "", token: query.get("token") ?? "", failed: query.get("failed") === "1", find: query.get("find") ?? "" };
  return filter.step || filter.token || filter.failed || filter.find ? filter : null;
}

export function History({ run, history, steps, query, set }: Props): JSX.Element {
  const name = run.metadata.name;
  const { entries } = history;
  const filter = filterOf(query);
  const found = useFound(name, filter, entries.last);
  const [open, setOpen] = useState<number | null>(Number(query.get("entry")) || null);
  useEffect(() => setOpen(Number(query.get("entry")) || null), [query.get("entry")]);
  useEffect(() => {
    if (String(open ?? "") === (query.get("entry") ?? "")) return;
    const timer = setTimeout(() => set({ entry: open === null ? null : String(open) }), 400);
    return () => clearTimeout(timer);
  }, [open]);
  const rowOf = (seq: number): number => (found ? found.entries.findIndex((one) => one.seq === seq) : entries.last - seq);
  const entryAt = (row: number): Entry | undefined => (found ? found.entries[row] : entries.known[entries.last - row - 1]);
  const total = found ? found.entries.length : entries.last;
  const show = (seq: number): void => {
    history.need(seq - AHEAD, seq + AHEAD);
    setOpen(seq);
  };
  useKeys(name, open, entries.last, show, (by) => {
    const here = open === null ? -1 : rowOf(open);
    const next = Math.min(total - 1, Math.max(0, here + by));
    const seq = found ? found.entries[next]?.seq : entries.last - next;
    if (seq) show(seq);
  });
  const shown = open === null ? undefined : entryAt(rowOf(open)) ?? entries.known[open - 1];
  return (
    <div class="history">
      <HistoryFilters filter={filter} steps={steps} last={entries.last} set={set} show={show}>
        {found ? words.foundOf(count(found.entries.length), count(found.read), found.isComplete) : `${count(entries.last)} / ${count(entries.last)}`}
      </HistoryFilters>
      {history.error ? <Problem error={history.error} retry={history.retry} /> : null}
      {found?.error ? <Problem error={found.error} /> : null}
      {total ? (
        <Rows
          label={words.history}
          className="entries"
          count={total}
          isComplete={found?.isComplete ?? true}
          height={ROW}
          before={found ? 0 : entries.last}
          at={open === null ? -1 : rowOf(open)}
          move={(row) => {
            const seq = found ? found.entries[row]?.seq : entries.last - row;
            if (seq) show(seq);
          }}
          rowClass={(row) => (isFailed(entryAt(row)) ? "entry failed" : "entry")}
          row={(row) => <Cells entry={entryAt(row)} seq={entries.last - row} begin={run.spec.created_at} />}
          seen={(first, last) => {
            if (!found) history.need(entries.last - last, entries.last - first);
            else if (last > total - AHEAD && total % 200 === 0) found.more();
          }}
        />
      ) : entries.last && !found?.busy ? (
        <p class="faint">{words.noEntries}</p>
      ) : (
        <Skeleton />
      )}
      {found && !found.isComplete ? (
        <button type="button" disabled={found.busy} onClick={found.more}>
          {found.busy ? words.loading : words.readOn}
        </button>
      ) : null}
      {shown ? <EntryDetail run={name} entry={shown} close={() => setOpen(null)} /> : null}
    </div>
  );
}

function isFailed(entry: Entry | undefined): boolean {
  return entry !== undefined && (isFailure(entry) || entry.state === "ERROR" || entry.state === "TIMEOUT");
}

function Cells({ entry, seq, begin }: { entry: Entry | undefined; seq: number; begin: string }): JSX.Element {
  if (!entry)
    return (
      <>
        <span role="gridcell" class="seq">
          {seq}
        </span>
        <span role="gridcell" class="faint">
          …
        </span>
      </>
    );
  return (
    <>
      <span role="gridcell" class="seq">
        {entry.seq}
      </span>
      <span role="gridcell" class="elapsed" title={moment(entry.at)}>
        +{span(Date.parse(entry.at) - Date.parse(begin))}
      </span>
      <span role="gridcell" class="step">
        {plain(entry.step || entry.from)}
        {entry.token && entry.token !== "0" ? <small> {plain(entry.token)}</small> : null}
      </span>
      <span role="gridcell" class="event">
        {entry.event} {plain(entry.state)} {entry.to ? `→ ${plain(entry.to)}` : ""} {entry.error ? <em>{plain(entry.error.slice(0, 120))}</em> : null}
      </span>
    </>
  );
}

/** `[` and `]`: the earlier and the later entry; `n` and `N`: the next and the last failure. */
function useKeys(name: string, open: number | null, last: number, show: (seq: number) => void, move: (by: number) => void): void {
  const failure = async (isNext: boolean): Promise<void> => {
    const query = isNext ? { after: open ?? 0 } : { order: "desc", before: open ?? last + 1 };
    const found = await call<Entry[]>("GET", `${at("flowrun", name)}/history`, { query: { ...query, failed: true, limit: 1, values: "short" } }).catch(() => null);
    const one = found?.data[0];
    if (one) show(one.seq);
  };
  useShortcuts({ "[": () => move(1), "]": () => move(-1), n: () => void failure(true), N: () => void failure(false) });
}
