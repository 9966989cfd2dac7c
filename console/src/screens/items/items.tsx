// The items of an each: a grid of all by status, a table of those that are wanted, and what became of one of them.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { at, call } from "../../api/client";
import type { Json } from "../../api/types";
import { useLoad } from "../../ui/load";
import { Problem, Skeleton, When } from "../../ui/parts";
import { Rows } from "../../ui/rows";
import { count, plain } from "../../ui/text";
import { words } from "../../words/en";
import { Grid } from "./grid";
import { ItemDetail } from "./item";
import { codesOf, indexesOf, STATUSES, type Span } from "./statuses";

export interface Item {
  index: number;
  token: string;
  status: string;
  step: string;
  error: string;
  error_name: string;
  output: Json;
  since: string | null;
}

interface ItemPage {
  total: number;
  done: number;
  failed: number;
  running: number;
  left: number;
  items: Item[];
  spans?: Span[];
}

const ROW = 30;
const PAGE = 100;

interface Props {
  run: string;
  steps: readonly string[];
  /** Changes when something has happened to the run. */
  turn: number;
  /** Show the history of one item. */
  follow: (token: string) => void;
}

export function Items({ run, steps, turn, follow }: Props): JSX.Element {
  const [step, setStep] = useState(steps[0] ?? "");
  const [status, setStatus] = useState("");
  const [selected, setSelected] = useState<number | null>(null);
  const path = `${at("flowrun", run)}/items`;
  const found = useLoad(`items ${run} ${step}`, (signal) => call<ItemPage>("GET", path, { query: { step, limit: 1, spans: true }, signal }), 0);
  const first = useRef(turn);
  useEffect(() => {
    if (first.current !== turn) found.reload();
    first.current = turn;
  }, [turn]);
  const page = found.data?.data;
  const codes = useMemo(() => codesOf(page?.spans ?? []), [page]);
  const indexes = useMemo(() => indexesOf(codes, status), [codes, status]);
  const items = useItems(path, step, status, indexes, page);
  if (found.error && !page) return <Problem error={found.error} retry={found.reload} />;
  if (!page) return <Skeleton />;
  const counts: Record<string, number> = { failed: page.failed, running: page.running, done: page.done, waiting: page.left };
  return (
    <div class="items">
      <div class="filters">
        {steps.length > 1 ? (
          <select aria-label={words.steps} value={step} onChange={(event) => (setStep(event.currentTarget.value), setSelected(null))}>
            {steps.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        ) : null}
        <div class="legend" role="group" aria-label={words.status}>
          {["", ...STATUSES.filter((one) => counts[one])].map((one) => (
            <button key={one} type="button" class={`quiet ${one}`} aria-pressed={status === one} onClick={() => setStatus(one)}>
              {one ? <span class={`swatch ${one}`} aria-hidden="true" /> : null}
              {one ? words.itemStatus(one, count(counts[one] ?? 0)) : words.allItems(count(page.total))}
            </button>
          ))}
        </div>
      </div>
      <Grid codes={codes} status={status} selected={selected} select={setSelected} />
      {selected === null ? null : (
        <ItemDetail key={`${step} ${selected}`} run={run} path={path} step={step} index={selected} turn={turn} follow={follow} close={() => setSelected(null)} />
      )}
      {items.error ? <Problem error={items.error} /> : null}
      {indexes.length ? (
        <Rows
          label={words.items}
          count={indexes.length}
          height={ROW}
          at={selected === null ? -1 : indexes.indexOf(selected)}
          move={(row) => setSelected(indexes[row] ?? null)}
          className="item-rows"
          head={
            <>
              {["#", words.status, words.at, words.since_, words.error].map((one) => (
                <span key={one} role="columnheader">
                  {one}
                </span>
              ))}
            </>
          }
          row={(row) => <Cells index={indexes[row] ?? 0} status={STATUSES[codes[indexes[row] ?? 0] ?? 0] ?? "unknown"} item={items.known.get(indexes[row] ?? 0)} />}
          rowClass={(row) => STATUSES[codes[indexes[row] ?? 0] ?? 0] ?? ""}
          seen={items.need}
        />
      ) : (
        <p class="faint">{words.noItems}</p>
      )}
    </div>
  );
}

function Cells({ index, status, item }: { index: number; status: string; item: Item | undefined }): JSX.Element {
  return (
    <>
      <span role="gridcell" class="seq">
        {index}
      </span>
      <span role="gridcell">{status}</span>
      <span role="gridcell">{item ? plain(item.step ?? "") : "…"}</span>
      <span role="gridcell">{item?.since ? <When at={item.since} /> : ""}</span>
      <span role="gridcell" class="error">
        {item ? plain(item.error ?? "") : ""}
      </span>
    </>
  );
}

/** The items behind the indexes, read a page at a time when they come into view. */
function useItems(path: string, step: string, status: string, indexes: Uint32Array, turn: unknown): { known: ReadonlyMap<number, Item>; need: (first: number, last: number) => void; error: Error | null } {
  const [state, setState] = useState<{ known: ReadonlyMap<number, Item>; error: Error | null }>({ known: new Map(), error: null });
  const asked = useRef(new Set<number>());
  const key = useRef<unknown>(null);
  const seen = useRef<[number, number]>([0, 0]);
  const read = (row: number): void => {
    const begin = Math.floor(row / PAGE) * PAGE;
    const from = indexes[begin];
    if (from === undefined || asked.current.has(from)) return;
    asked.current.add(from);
    const here = key.current;
    call<ItemPage>("GET", path, { query: { step, status, limit: PAGE, cursor: from ? from - 1 : null } }).then(
      (found) => {
        if (key.current === here) setState((old) => ({ known: new Map([...old.known, ...found.data.items.map((one) => [one.index, one] as const)]), error: null }));
      },
      (error: unknown) => setState((old) => ({ ...old, error: error as Error })),
    );
  };
  const need = (first: number, last: number): void => {
    seen.current = [first, last];
    for (let row = first; row < last + PAGE; row += PAGE) read(Math.min(row, Math.max(0, last - 1)));
  };
  useEffect(() => {
    key.current = turn;
    asked.current.clear();
    need(...seen.current);
  }, [turn, status, step]);
  return { known: state.known, need, error: state.error };
}
