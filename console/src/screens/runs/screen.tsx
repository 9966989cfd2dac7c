// The list of runs. Only the rows in view are in the page, and new runs do not move them.
import type { JSX } from "preact";
import { lazy, Suspense } from "preact/compat";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { may } from "../../ui/me";
import { Popup } from "../../ui/popup";
import { Problem, Skeleton, useTitle } from "../../ui/parts";
import { go, href, usePlace } from "../../ui/router";
import { Rows } from "../../ui/rows";
import { settings } from "../../ui/settings";
import { useStore } from "../../ui/store";
import { words } from "../../words/en";
import type { BatchCommand } from "../batch/confirm";
import { columnsOf, type Column } from "./columns";
import type { Format } from "./export";
import { FilterBar } from "./filter_bar";
import { filtersOf } from "./filters";
import { NoRuns } from "./none";
import { namesIn } from "./pages";
import { Selection } from "./selection";
import { useList, type RunList } from "./use_list";
import { ColumnChoice, Views } from "./views";

const Confirm = lazy(async () => ({ default: (await import("../batch/confirm")).Confirm }));
const Export = lazy(async () => ({ default: (await import("./export")).Export }));

const ROW = { normal: 40, compact: 30 } as const;
const COLUMN_PIXELS = 104;

export function Runs(): JSX.Element {
  const { query } = usePlace();
  useTitle(words.runs);
  const runs = useList(query);
  const columns = columnsOf(query);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [command, setCommand] = useState<BatchCommand | null>(null);
  const [format, setFormat] = useState<Format | null>(null);
  useEffect(() => setSelected(new Set()), [runs.list.key]);
  const names = useMemo(() => [...selected], [selected]);
  return (
    <>
      <div class="title">
        <h1>{words.runs}</h1>
        <span class="faint">{words.runsShown(runs.count, !runs.isComplete, runs.total)}</span>
        <span class="actions">
          <Views query={query} />
          <ColumnChoice query={query} />
          <ExportMenu begin={setFormat} />
          {may("GET /batch") ? (
            <a class="button" href={href(["batch"])}>
              {words.batches}
            </a>
          ) : null}
          {may("POST /flow/{name}/runs") ? (
            <a class="button" href={href(["flows"])}>
              {words.start}
            </a>
          ) : null}
        </span>
      </div>
      <FilterBar query={query} />
      {runs.error ? <Problem error={runs.error} retry={runs.reload} /> : null}
      {runs.arrived || runs.left ? (
        <button type="button" class="arrived" onClick={runs.showNew}>
          {words.newRuns(runs.arrived, runs.left)}
        </button>
      ) : null}
      {names.length ? <Selection names={names} all={runs.isComplete ? null : filtersOf(query)} command={setCommand} clear={() => setSelected(new Set())} /> : null}
      {runs.count ? <Table runs={runs} columns={columns} selected={selected} select={setSelected} /> : runs.isComplete ? <NoRuns query={query} /> : runs.error ? null : <Skeleton />}
      <Suspense fallback={null}>
        {command ? <Confirm command={command} close={() => setCommand(null)} /> : null}
        {format ? <Export format={format} filters={filtersOf(query)} columns={columns} close={() => setFormat(null)} /> : null}
      </Suspense>
    </>
  );
}

function ExportMenu({ begin }: { begin: (format: Format) => void }): JSX.Element {
  return (
    <Popup label={words.export_}>
        <button type="button" onClick={() => begin("csv")}>
          CSV
        </button>
        <button type="button" onClick={() => begin("jsonl")}>
          JSONL
        </button>
    </Popup>
  );
}

interface TableProps {
  runs: RunList;
  columns: readonly Column[];
  selected: ReadonlySet<string>;
  select: (selected: ReadonlySet<string>) => void;
}

function Table({ runs, columns, selected, select }: TableProps): JSX.Element {
  const { density } = useStore(settings);
  const [at, setAt] = useState(0);
  const anchor = useRef(0);
  useEffect(() => setAt(0), [runs.list.key]);
  const nameAt = (row: number): string | undefined => runs.at(row)?.metadata.name;
  const toggle = (row: number): void => {
    const name = nameAt(row);
    if (!name) return;
    const next = new Set(selected);
    if (!next.delete(name)) next.add(name);
    anchor.current = row;
    select(next);
  };
  const range = (row: number): void => {
    const [first, last] = [Math.min(anchor.current, row), Math.max(anchor.current, row)];
    const names = Array.from({ length: last - first + 1 }, (_, n) => nameAt(first + n)).filter((one) => one !== undefined);
    select(new Set([...selected, ...names]));
  };
  const toggleAll = (): void => select(selected.size ? new Set() : new Set(namesIn(runs.list)));
  const keys = (event: KeyboardEvent, row: number): void => {
    if (!settings.value.shortcuts) return;
    const acts: Record<string, () => void> = { x: () => toggle(row), X: () => range(row), "*": toggleAll, ".": openCommands };
    acts[event.key]?.();
  };
  const style = { gridTemplateColumns: `34px ${columns.map((one) => one.width).join(" ")}`, minWidth: `${columns.length * COLUMN_PIXELS}px` };
  return (
    <Rows
      label={words.runs}
      className="run-rows"
      count={runs.count}
      isComplete={runs.isComplete}
      height={ROW[density]}
      at={at}
      move={setAt}
      open={(row) => {
        const name = nameAt(row);
        if (name) go(["runs", name]);
      }}
      keys={keys}
      rowStyle={style}
      isSelected={(row) => selected.has(nameAt(row) ?? "")}
      seen={runs.need}
      head={
        <>
          <span role="columnheader">
            <input type="checkbox" tabIndex={-1} aria-label={words.selectAll} checked={selected.size > 0} onChange={toggleAll} />
          </span>
          {columns.map((one) => (
            <span key={one.name} role="columnheader">
              {one.label}
            </span>
          ))}
        </>
      }
      row={(row) => {
        const run = runs.at(row);
        if (!run)
          return (
            <span role="gridcell" class="faint">
              …
            </span>
          );
        return (
          <>
            <span role="gridcell">
              <input type="checkbox" tabIndex={-1} aria-label={run.metadata.name} checked={selected.has(run.metadata.name)} onChange={() => toggle(row)} />
            </span>
            {columns.map((one) => (
              <span key={one.name} role="gridcell">
                {one.cell(run)}
              </span>
            ))}
          </>
        );
      }}
    />
  );
}

/** `.`: go to the commands for what is selected. */
function openCommands(): void {
  document.querySelector<HTMLElement>(".selection button:not(:disabled):not(.quiet)")?.focus();
}
