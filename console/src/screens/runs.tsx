// The list of runs. Its filters are in the address and work on the server.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { at, call, type Query } from "../api/client";
import type { Json, RunSummary } from "../api/types";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Empty, Problem, Skeleton, Status, useTitle, When } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { plain, span } from "../ui/text";
import { words } from "../words/en";
import { Batch, type BatchCommand } from "./batch";

const STATUSES = ["pending", "running", "paused", "compensating", "completing", "canceling", "succeeded", "failed", "canceled"];
const FILTERS = ["status", "flow", "label", "error", "name_prefix", "since", "until", "parent", "undo", "waiting_for"] as const;
const PAGE = 100;
const MAX_KEPT = 5_000;

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

export function Runs(): JSX.Element {
  const { query } = usePlace();
  const key = query.toString();
  useTitle(words.runs);
  const first = useLoad(`runs?${key}`, (signal) => call<RunSummary[]>("GET", "/flowrun", { query: { view: "summary", limit: PAGE, ...filtersOf(query) }, signal }));
  const [older, setOlder] = useState<{ key: string; runs: RunSummary[]; cursor: string | null }>({ key, runs: [], cursor: null });
  const [shownFirst, setShownFirst] = useState<{ key: string; runs: RunSummary[]; cursor: string | null } | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [command, setCommand] = useState<BatchCommand | null>(null);
  const [cursorRow, setCursorRow] = useState(0);
  const table = useRef<HTMLDivElement>(null);
  useEffect(() => {
    setSelected(new Set());
    setProblem(null);
    setCursorRow(0);
  }, [key]);
  // Rows do not move under the pointer: new runs are counted in a bar, and shown when it is pressed.
  const top = shownFirst?.key === key ? shownFirst : null;
  useEffect(() => {
    if (!first.data) return;
    const fresh = { key, runs: first.data.data, cursor: first.data.cursor };
    if (!top || !top.runs.length) {
      setShownFirst(fresh);
      setOlder({ key, runs: [], cursor: fresh.cursor });
      return;
    }
    const known = new Map(fresh.runs.map((one) => [one.metadata.uuid, one]));
    setShownFirst({ ...top, runs: top.runs.map((one) => known.get(one.metadata.uuid) ?? one) });
  }, [first.data]);
  const known = new Set(top?.runs.map((one) => one.metadata.uuid));
  const arrived = top && first.data ? first.data.data.filter((one) => !known.has(one.metadata.uuid)).length : 0;
  const rest = older.key === key ? older : { runs: [], cursor: null };
  const runs = [...(top?.runs ?? []), ...rest.runs];
  const showNew = (): void => {
    if (!first.data) return;
    setShownFirst({ key, runs: first.data.data, cursor: first.data.cursor });
    setOlder({ key, runs: [], cursor: first.data.cursor });
  };
  const more = async (): Promise<void> => {
    const cursor = rest.cursor;
    if (!cursor || busy) return;
    setBusy(true);
    try {
      const found = await call<RunSummary[]>("GET", "/flowrun", { query: { view: "summary", limit: PAGE, ...filtersOf(query), cursor } });
      setOlder({ key, runs: [...rest.runs, ...found.data].slice(-MAX_KEPT), cursor: found.cursor });
    } catch (error) {
      setProblem(error as Error);
    } finally {
      setBusy(false);
    }
  };
  const toggle = (name: string): void => {
    const next = new Set(selected);
    if (!next.delete(name)) next.add(name);
    setSelected(next);
  };
  const keys = (event: KeyboardEvent): void => {
    const row = runs[cursorRow];
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const next = Math.min(runs.length - 1, Math.max(0, cursorRow + step));
      setCursorRow(next);
      (table.current?.querySelectorAll<HTMLElement>("tbody tr a.name")[next] ?? null)?.focus();
    } else if (event.key === "x" && row) toggle(row.metadata.name);
  };
  return (
    <>
      <div class="title">
        <h1>{words.runs}</h1>
        <span class="faint">{words.runsShown(runs.length, Boolean(rest.cursor))}</span>
        {may("POST /flow/{name}/runs") ? (
          <a class="button" href={href(["flows"])}>
            {words.start}
          </a>
        ) : null}
      </div>
      <Filters query={query} />
      {first.error ? <Problem error={first.error} retry={first.reload} /> : null}
      {arrived ? (
        <button type="button" class="arrived" onClick={showNew}>
          {words.newRuns(arrived)}
        </button>
      ) : null}
      {selected.size ? <Selection names={[...selected]} all={selected.size === runs.length && rest.cursor !== null ? filtersOf(query) : null} command={setCommand} clear={() => setSelected(new Set())} /> : null}
      {!runs.length && first.loading ? (
        <Skeleton />
      ) : runs.length ? (
        <div class="scroll" ref={table} onKeyDown={keys}>
          <table aria-rowcount={rest.cursor ? -1 : runs.length}>
            <thead>
              <tr>
                {may("POST /batch") ? (
                  <th class="narrow">
                    <input type="checkbox" aria-label={words.selectAll} checked={selected.size > 0 && selected.size === runs.length} onChange={() => setSelected(selected.size ? new Set() : new Set(runs.map((one) => one.metadata.name)))} />
                  </th>
                ) : null}
                <th>{words.name}</th>
                <th>{words.flow}</th>
                <th>{words.status}</th>
                <th>{words.at}</th>
                <th>{words.begun}</th>
                <th>{words.took}</th>
                <th>{words.error}</th>
              </tr>
            </thead>
            <tbody>
              {runs.map((one, n) => (
                <Row key={one.metadata.uuid} run={one} n={n + 1} selected={selected.has(one.metadata.name)} toggle={toggle} />
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <NoRuns query={query} />
      )}
      {problem ? <Problem error={problem} retry={() => void more()} /> : null}
      {rest.cursor ? (
        <p>
          <button type="button" disabled={busy} onClick={() => void more()}>
            {busy ? words.loading : words.loadMore}
          </button>
        </p>
      ) : null}
      {command ? (
        <Batch
          command={command}
          done={() => {
            setCommand(null);
            setSelected(new Set());
            first.reload();
          }}
        />
      ) : null}
    </>
  );
}

function Row({ run, n, selected, toggle }: { run: RunSummary; n: number; selected: boolean; toggle: (name: string) => void }): JSX.Element {
  const { metadata, spec } = run;
  const end = spec.ended_at ? Date.parse(spec.ended_at) : Date.now();
  return (
    <tr aria-rowindex={n} aria-selected={selected}>
      {may("POST /batch") ? (
        <td class="narrow">
          <input type="checkbox" aria-label={metadata.name} checked={selected} onChange={() => toggle(metadata.name)} />
        </td>
      ) : null}
      <td>
        <a class="name" href={href(["runs", metadata.name])}>
          {plain(metadata.name)}
        </a>
        {spec.parent ? <span class="faint"> ↳ {plain(spec.parent.run)}</span> : null}
      </td>
      <td>{spec.flow ? <a href={href(["flows", spec.flow])}>{plain(spec.flow)}</a> : <span class="faint">{words.ownSteps}</span>}</td>
      <td>
        <Status status={spec.status} />
      </td>
      <td>{plain(spec.current_state)}</td>
      <td>
        <When at={spec.created_at} />
      </td>
      <td>{span(end - Date.parse(spec.created_at))}</td>
      <td class="error" title={plain(spec.last_err)}>
        {plain(spec.error?.name ?? "")} <span class="faint">{plain(spec.last_err.slice(0, 80))}</span>
      </td>
    </tr>
  );
}

function Filters({ query }: { query: URLSearchParams }): JSX.Element {
  const [text, setText] = useState("");
  const set = (name: string, value: string): void => {
    const next = new URLSearchParams(query);
    if (name === "label") next.append(name, value);
    else if (value) next.set(name, value);
    else next.delete(name);
    go(["runs"], next);
  };
  const drop = (name: string, value: string): void => {
    const next = new URLSearchParams();
    for (const [other, given] of query) if (other !== name || given !== value) next.append(other, given);
    go(["runs"], next);
  };
  const find = async (event: Event): Promise<void> => {
    event.preventDefault();
    const wanted = text.trim();
    const pair = /^(status|flow|error|label|waiting_for|parent|undo|since|until)[:=](.+)$/.exec(wanted);
    setText("");
    if (pair?.[1] && pair[2]) set(pair[1], pair[2]);
    else if (/^[^:\s]+:[^:\s]+$/.test(wanted)) set("label", wanted);
    else if (wanted) await open(wanted);
  };
  const open = async (wanted: string): Promise<void> => {
    const found = await call<{ metadata: { name: string } }[]>("GET", "/flowrun", { query: { "metadata.name": wanted, view: "summary" } }).catch(() => null);
    if (found?.data.length) return go(["runs", wanted]);
    if (/^[0-9a-f-]{36}$/i.test(wanted)) {
      const step = await call<{ spec: { flow_id: string } }>("GET", at("step", wanted)).catch(() => null);
      if (step) return go(["runs", step.data.spec.flow_id]);
    }
    set("name_prefix", wanted);
  };
  return (
    <form class="filters" onSubmit={(event) => void find(event)}>
      <select aria-label={words.status} value={query.get("status") ?? ""} onChange={(event) => set("status", event.currentTarget.value)}>
        <option value="">
          {words.status}: {words.all}
        </option>
        {STATUSES.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <select aria-label={words.since} value={query.get("since") ?? ""} onChange={(event) => set("since", event.currentTarget.value)}>
        <option value="">
          {words.since}: {words.all}
        </option>
        {["1h", "24h", "7d", "30d"].map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <input data-find class="grow" value={text} placeholder={words.filterHelp} aria-label={words.filterHelp} onInput={(event) => setText(event.currentTarget.value)} />
      <ul class="chips">
        {[...query]
          .filter(([name, value]) => value && (FILTERS as readonly string[]).includes(name))
          .map(([name, value]) => (
            <li key={`${name}=${value}`}>
              {name}: {plain(value)}
              <button type="button" class="quiet" aria-label={words.dropFilter(name)} onClick={() => drop(name, value)}>
                ✕
              </button>
            </li>
          ))}
      </ul>
    </form>
  );
}

function Selection(props: { names: string[]; all: Query | null; command: (command: BatchCommand) => void; clear: () => void }): JSX.Element {
  const [matching, setMatching] = useState<{ select: Record<string, Json>; count: number } | null>(null);
  const chooseAll = async (): Promise<void> => {
    const filters = { ...props.all, until: props.all?.["until"] ?? new Date().toISOString() };
    const found = await call<{ counts: Record<string, number> }>("GET", "/flowrun/count", { query: { ...filters, group: "status" } });
    setMatching({ select: filters as Record<string, Json>, count: Object.values(found.data.counts).reduce((sum, one) => sum + one, 0) });
  };
  useEffect(() => setMatching(null), [props.names.length]);
  const count = matching?.count ?? props.names.length;
  const select = matching?.select ?? { names: props.names };
  return (
    <div class="selection" role="toolbar" aria-label={words.selected(count)}>
      <strong>{words.selected(count)}</strong>
      {props.all && !matching ? (
        <button type="button" class="quiet" onClick={() => void chooseAll()}>
          {words.allThatMatch}
        </button>
      ) : null}
      {(["retry", "pause", "continue", "stop", "delete"] as const).map((one) => (
        <button key={one} type="button" onClick={() => props.command({ do: one, select, count })}>
          {words.commands[one]}
        </button>
      ))}
      <button type="button" class="quiet" onClick={props.clear}>
        {words.clearSelection}
      </button>
    </div>
  );
}

function NoRuns({ query }: { query: URLSearchParams }): JSX.Element {
  const active = [...query].filter(([, value]) => value);
  if (!active.length)
    return (
      <Empty title={words.noRuns}>
        <p>{words.noRunsHelp}</p>
        <pre>{`fsl apply fsl/examples/release.fsl\nfsl run my_flow --input '{"name": "Ann"}' --wait`}</pre>
        <p>
          <a class="button" href={href(["edit"])}>
            {words.writeFlow}
          </a>
        </p>
      </Empty>
    );
  return (
    <Empty title={words.noMatch}>
      <p>
        {active.map(([name, value]) => {
          const next = new URLSearchParams();
          for (const [other, given] of query) if (other !== name || given !== value) next.append(other, given);
          return (
            <a key={`${name}${value}`} class="button" href={href(["runs"], next)}>
              {words.dropFilter(`${name}: ${value}`)}
            </a>
          );
        })}
        <a class="button" href={href(["runs"])}>
          {words.clearFilters}
        </a>
      </p>
    </Empty>
  );
}
