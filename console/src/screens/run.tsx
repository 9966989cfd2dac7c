// One run: what it is, why it failed, what it waits for, its diagram, history and data; and what can be done about it.
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { ApiError, at, call } from "../api/client";
import type { Entry, Graph, Json, Run, RunStatus } from "../api/types";
import { Diagram, List } from "../ui/diagram";
import { JsonView } from "../ui/json";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Empty, Problem, Skeleton, Status, Tabs, useTitle, When } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { moment, plain, span } from "../ui/text";
import { words } from "../words/en";
import { Commands, type Command } from "./commands";
import { inField } from "./frame";
import { Items } from "./items";

const PAGE = 1_000;
const LIVE: readonly RunStatus[] = ["pending", "running", "paused", "compensating", "completing", "canceling"];
const STOPPED: readonly RunStatus[] = ["failed", "canceled"];

/** The history from its first entry on, followed while the run lives. The index of an entry is its `seq` minus 1. */
function useHistory(name: string, live: boolean): { entries: Entry[]; error: Error | null } {
  const [state, setState] = useState<{ name: string; entries: Entry[]; error: Error | null }>({ name, entries: [], error: null });
  useEffect(() => {
    const control = new AbortController();
    let entries: Entry[] = [];
    const read = async (): Promise<void> => {
      for (;;) {
        const found = await call<Entry[]>("GET", `${at("flowrun", name)}/history`, { query: { after: entries.length, limit: PAGE, values: "short" }, signal: control.signal });
        entries = [...entries, ...found.data];
        setState({ name, entries, error: null });
        if (found.data.length < PAGE) break;
      }
      while (live && !control.signal.aborted) {
        const found = await call<Entry[]>("GET", `${at("flowrun", name)}/watch`, { query: { after: entries.length, wait: 20, values: "short" }, signal: control.signal });
        entries = [...entries, ...found.data];
        setState({ name, entries, error: null });
        if (found.data.some((one) => ["done", "stopped"].includes(one.to) && one.token === "0")) break;
      }
    };
    read().catch((error: unknown) => {
      if (!control.signal.aborted) setState((old) => ({ ...old, error: error as Error }));
    });
    return () => control.abort();
  }, [name, live]);
  return state.name === name ? state : { entries: [], error: null };
}

export function RunScreen({ name }: { name: string }): JSX.Element {
  const { query } = usePlace();
  useTitle(name);
  const found = useLoad(`run ${name}`, (signal) => call<Run>("GET", at("flowrun", name), { signal }));
  const run = found.data?.data ?? null;
  const live = run !== null && LIVE.includes(run.spec.status);
  const history = useHistory(name, live);
  const last = history.entries.length;
  useEffect(() => found.reload(), [last]);
  const graph = useLoad(`graph ${name} ${last}`, (signal) => call<Graph>("GET", `${at("flowrun", name)}/graph`, { query: { layout: true }, signal }), 0);
  const [kept, setKept] = useState<Graph | null>(null);
  useEffect(() => {
    if (graph.data) setKept(graph.data.data);
  }, [graph.data]);
  const [command, setCommand] = useState<Command | null>(null);
  const step = query.get("step");
  const set = (changed: Record<string, string | null>): void => {
    const next = new URLSearchParams(query);
    for (const [key, value] of Object.entries(changed)) value ? next.set(key, value) : next.delete(key);
    go(["runs", name], next, true);
  };
  if (!run && found.error instanceof ApiError && found.error.status === 404) return <Gone name={name} />;
  if (!run) return found.error ? <Problem error={found.error} retry={found.reload} /> : <Skeleton />;
  const tab = query.get("tab") ?? "diagram";
  const side = query.get("side") ?? "history";
  const eachSteps = (kept?.nodes ?? []).filter((one) => one.kind === "each").map((one) => one.name);
  return (
    <>
      <Head run={run} entries={history.entries} command={setCommand} />
      {run.spec.error && STOPPED.includes(run.spec.status) ? <Why run={run} command={setCommand} /> : null}
      <Waits run={run} />
      <div class="columns">
        <section aria-label={words.diagram}>
          <Tabs
            label={words.diagram}
            at={tab}
            go={(next) => set({ tab: next === "diagram" ? null : next })}
            tabs={[["diagram", words.diagram], ["steps", words.steps], ...(eachSteps.length ? ([["items", words.items]] as const) : []), ["text", words.text]]}
          />
          {tab === "text" ? (
            <FlowText run={run} />
          ) : tab === "items" ? (
            <Items run={name} steps={eachSteps} />
          ) : kept ? (
            tab === "steps" ? (
              <List graph={kept} select={(one) => set({ step: one })} />
            ) : (
              <Diagram graph={kept} selected={step} select={(one) => set({ step: one === step ? null : one, side: null })} />
            )
          ) : graph.error ? (
            <Problem error={graph.error} retry={graph.reload} />
          ) : (
            <Skeleton />
          )}
        </section>
        <section aria-label={words.history}>
          <Tabs label={words.history} at={side} go={(next) => set({ side: next === "history" ? null : next })} tabs={[["history", words.history], ["timeline", words.timeline], ["data", words.data]]} />
          {side === "data" ? (
            <Data run={run} />
          ) : side === "timeline" ? (
            <Timeline entries={history.entries} live={live} select={(one) => set({ step: one, side: null })} />
          ) : (
            <History name={name} entries={history.entries} error={history.error} step={step} clear={() => set({ step: null })} />
          )}
        </section>
      </div>
      {command ? (
        <Commands
          run={run}
          graph={kept}
          command={command}
          close={(changed) => {
            setCommand(null);
            if (changed) found.reload();
          }}
        />
      ) : null}
    </>
  );
}

function Gone({ name }: { name: string }): JSX.Element {
  return (
    <Empty title={words.noRun(plain(name))}>
      <a class="button" href={href(["runs"], { name_prefix: name.slice(0, 3) })}>
        {words.nearIt}
      </a>
    </Empty>
  );
}

function Head({ run, entries, command }: { run: Run; entries: Entry[]; command: (command: Command) => void }): JSX.Element {
  const { spec, metadata } = run;
  const end = spec.ended_at ? Date.parse(spec.ended_at) : Date.now();
  const failed = spec.error?.step ?? spec.current_state;
  const stopped = STOPPED.includes(spec.status);
  const parent = spec["parent"] as { run: string; step: string } | null | undefined;
  const cost = spec["cost"] as { usd?: number } | undefined;
  return (
    <div class="title run">
      <h1>{plain(metadata.name)}</h1>
      <Status status={spec.status} />
      <span class="faint">
        {spec.flow ? (
          <a href={href(["flows", spec.flow])}>
            {plain(spec.flow)}@{spec.flow_version}
          </a>
        ) : (
          words.ownSteps
        )}{" "}
        · {words.moves(entries.length)} · {span(end - Date.parse(spec.created_at))} · <span title={words.writesHelp}>{words.writes(metadata.version)}</span>
        {cost?.usd !== undefined ? ` · $${cost.usd.toPrecision(2)}` : ""}
        {parent ? (
          <>
            {" "}
            · ↳ <a href={href(["runs", parent.run])}>{plain(parent.run)}</a>
          </>
        ) : null}
      </span>
      {Object.entries(metadata.labels).map(([name, value]) => (
        <a key={name} class="chip" href={href(["runs"], { label: `${name}:${String(value)}` })}>
          {plain(name)}: {plain(String(value))}
        </a>
      ))}
      <span class="actions">
        {stopped && spec.status === "failed" ? (
          <Do call="POST /flowrun/{name}/retry" primary onClick={() => command("retry")}>
            {words.retryFrom(failed)}
          </Do>
        ) : null}
        {stopped && spec.status !== "failed" ? (
          <Do call="POST /flowrun/{name}/retry" onClick={() => command("retry")}>
            {words.retry}
          </Do>
        ) : null}
        {LIVE.includes(spec.status) ? (
          spec.status === "paused" ? (
            <Do call="POST /flowrun/{name}/continue" primary onClick={() => command("continue")}>
              {words.continue_}
            </Do>
          ) : (
            <Do call="POST /flowrun/{name}/pause" onClick={() => command("pause")}>
              {words.pause}
            </Do>
          )
        ) : null}
        <Menu run={run} command={command} />
      </span>
    </div>
  );
}

/** A button for a call; disabled with the reason if the role may not make it. */
export function Do(props: { call: string; onClick: () => void; primary?: boolean; danger?: boolean; children: JSX.Element | string | readonly (JSX.Element | string)[] }): JSX.Element {
  const allowed = may(props.call);
  return (
    <button type="button" class={props.primary ? "primary" : props.danger ? "danger" : ""} disabled={!allowed} title={allowed ? undefined : words.needsRole(props.call)} onClick={props.onClick}>
      {props.children}
    </button>
  );
}

function Menu({ run, command }: { run: Run; command: (command: Command) => void }): JSX.Element {
  const live = LIVE.includes(run.spec.status);
  const entries: readonly (readonly [Command, string, boolean])[] = [
    ["signal", words.signal, live],
    ["vars", words.vars, live],
    ["goto", words.goto, live],
    ["migrate", words.migrate, live && run.spec.flow !== ""],
    ["stop", words.stop, live],
    ["delete", words.delete_, !live],
  ];
  return (
    <details class="menu">
      <summary>{words.more_}</summary>
      <div>
        {entries
          .filter(([, , shown]) => shown)
          .map(([name, label]) => (
            <button key={name} type="button" onClick={() => command(name)}>
              {label}
            </button>
          ))}
        {run.spec.flow ? <a href={href(["start", run.spec.flow], { like: run.metadata.name })}>{words.again}</a> : null}
      </div>
    </details>
  );
}

function Why({ run, command }: { run: Run; command: (command: Command) => void }): JSX.Element {
  const error = run.spec.error;
  const text = useFlowText(run);
  const line = text && error ? lineOfStep(text, error.step) : null;
  return (
    <section class="why" aria-label={words.why_}>
      <h2>{words.why(plain(error?.step ?? ""))}</h2>
      <p>
        <strong>{plain(error?.name ?? "")}</strong> {plain(error?.cause ?? run.spec.last_err)}
      </p>
      {line ? (
        <pre class="line">
          <span class="faint">{line.number} │ </span>
          {plain(line.text)}
        </pre>
      ) : null}
      <p class="actions">
        <Do call="POST /flowrun/{name}/retry" primary onClick={() => command("retry")}>
          {words.retryFrom(error?.step ?? run.spec.current_state)}
        </Do>
        {run.spec.flow ? (
          <a class="button" href={href(["edit"], { flow: run.spec.flow })}>
            {words.mendFlow}
          </a>
        ) : null}
        {line ? <span class="faint">{words.lineOf(line.number, run.spec.flow)}</span> : null}
      </p>
    </section>
  );
}

/** The text of the run's flow, in the version that the run uses; null for a run with steps of its own. */
function useFlowText(run: Run): string | null {
  const { flow, flow_version } = run.spec;
  const found = useLoad(
    `text ${flow} ${flow_version}`,
    async (signal) => (flow ? textOf((await call<{ spec: Record<string, Json> }>("GET", at("flow", flow), { query: { version: flow_version }, signal })).data) : ""),
    0,
  );
  return found.data || null;
}

export function textOf(definition: { spec: Record<string, unknown> }): string {
  const { text, fsl, data } = definition.spec;
  return String(text ?? fsl ?? data ?? "");
}

/** Where a step begins in a text. */
export function lineOfStep(text: string, step: string): { number: number; text: string } | null {
  const lines = text.split("\n");
  const pattern = new RegExp(`^\\s*(step|deci|set|wait|fork|each|call|emit|start)\\s+"?${step.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}"?\\s*=>`, "i");
  const n = lines.findIndex((one) => pattern.test(one));
  return n < 0 ? null : { number: n + 1, text: (lines[n] ?? "").trim() };
}

function FlowText({ run }: { run: Run }): JSX.Element {
  const text = useFlowText(run);
  if (text === null) return <p class="faint">{words.noText}</p>;
  return (
    <pre class="source" tabIndex={0}>
      {text.split("\n").map((line, n) => (
        <div key={n}>
          <span class="faint">{String(n + 1).padStart(4)} </span>
          {plain(line)}
        </div>
      ))}
    </pre>
  );
}

function Waits({ run }: { run: Run }): JSX.Element | null {
  const waiting = run.spec.tokens.filter((one) => one.uuid && one.waits_for);
  if (!waiting.length || !LIVE.includes(run.spec.status)) return null;
  return (
    <section class="waits" aria-label={words.waitsFor}>
      <ul>
        {waiting.slice(0, 20).map((token) => {
          const wait = token.waits_for as Record<string, Json>;
          const until = (wait["until"] ?? token["deadline"]) as string | null;
          return (
            <li key={token.id}>
              <strong>{plain(token.step)}</strong> {whatFor(wait)}
              {until ? (
                <span class="faint">
                  {" "}
                  {words.until} <When at={until} />
                </span>
              ) : null}
              {wait["child"] ? <a href={href(["runs", String(wait["child"])])}> {plain(String(wait["child"]))}</a> : null}
              {wait["person"] && may("POST /step") ? (
                <a class="button" href={href(["inbox"], { run: run.metadata.name })}>
                  {words.answerIt}
                </a>
              ) : null}
            </li>
          );
        })}
        {waiting.length > 20 ? <li class="faint">{words.more(waiting.length - 20)}</li> : null}
      </ul>
    </section>
  );
}

function whatFor(wait: Record<string, Json>): string {
  const states = (wait["states"] as string[] | undefined) ?? [];
  const answers = states.length ? ` (${states.join(", ")})` : "";
  const name = String(wait["action"] || wait["event"] || "");
  if (wait["person"]) return `${words.waitsPerson}${answers}`;
  return `${words.waits[String(wait["kind"])] ?? String(wait["kind"])} ${plain(name)}${answers}${wait["key"] ? ` ${words.key} ${plain(String(wait["key"]))}` : ""}`;
}

const WINDOW = 200;

function History(props: { name: string; entries: Entry[]; error: Error | null; step: string | null; clear: () => void }): JSX.Element {
  const [failures, setFailures] = useState(false);
  const [text, setText] = useState("");
  const [open, setOpen] = useState<number | null>(null);
  const [from, setFrom] = useState<number | null>(null);
  const wanted = text.toLowerCase();
  const shown = useMemo(
    () =>
      props.entries.filter(
        (one) =>
          (!props.step || one.step === props.step || one.to === props.step) &&
          (!failures || Boolean(one.error) || one.state === "ERROR" || one.state === "TIMEOUT") &&
          (!wanted || `${one.event} ${one.step} ${one.state} ${one.to} ${one.error} ${one.token} ${one.seq}`.toLowerCase().includes(wanted)),
      ),
    [props.entries, props.step, failures, wanted],
  );
  // The newest first; a window of rows, so that a history of any length stays quick.
  const newest = useMemo(() => [...shown].reverse(), [shown]);
  const first = from ?? 0;
  const rows = newest.slice(first, first + WINDOW);
  useEffect(() => setFrom(null), [failures, wanted, props.step]);
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (inField(event.target) || event.ctrlKey || event.metaKey) return;
      const by = { "[": 1, "]": -1 }[event.key];
      if (!by || !newest.length) return;
      const here = newest.findIndex((one) => one.seq === open);
      const next = newest[Math.min(newest.length - 1, Math.max(0, here + by))];
      if (next) setOpen(next.seq);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [newest, open]);
  return (
    <div class="history">
      <div class="filters">
        <label class="check">
          <input type="checkbox" checked={failures} onChange={(event) => setFailures(event.currentTarget.checked)} /> {words.failuresOnly}
        </label>
        {props.step ? (
          <span class="chip">
            {plain(props.step)}
            <button type="button" class="quiet" aria-label={words.dropFilter(props.step)} onClick={props.clear}>
              ✕
            </button>
          </span>
        ) : null}
        <input data-find class="grow" value={text} placeholder={words.find_} aria-label={words.find_} onInput={(event) => setText(event.currentTarget.value)} />
        <span class="faint">
          {shown.length} / {props.entries.length}
        </span>
      </div>
      {props.error ? <Problem error={props.error} /> : null}
      {first > 0 ? (
        <button type="button" class="quiet" onClick={() => setFrom(Math.max(0, first - WINDOW))}>
          {words.newer}
        </button>
      ) : null}
      <ol class="entries">
        {rows.map((one) => (
          <li key={one.seq} class={one.error || one.state === "ERROR" ? "failed" : ""}>
            <button type="button" class="entry" aria-expanded={open === one.seq} onClick={() => setOpen(open === one.seq ? null : one.seq)}>
              <span class="seq">{one.seq}</span>
              <span class="elapsed" title={moment(one.at)}>
                {elapsed(props.entries, one)}
              </span>
              <span class="step">
                {plain(one.step || one.from)}
                {one.token && one.token !== "0" ? <span class="faint"> {plain(one.token)}</span> : null}
              </span>
              <span class="event">
                {one.event}
                {one.state ? <strong> {plain(one.state)}</strong> : null}
                {one.to ? <span> → {plain(one.to)}</span> : null}
                {one.error ? <span class="error"> {plain(one.error.slice(0, 120))}</span> : null}
              </span>
            </button>
            {open === one.seq ? <EntryDetail run={props.name} entry={one} /> : null}
          </li>
        ))}
      </ol>
      {!rows.length && props.entries.length ? <p class="faint">{words.noEntries}</p> : null}
      {first + WINDOW < newest.length ? (
        <button type="button" class="quiet" onClick={() => setFrom(first + WINDOW)}>
          {words.older(newest.length - first - WINDOW)}
        </button>
      ) : null}
    </div>
  );
}

function elapsed(entries: Entry[], one: Entry): string {
  const begin = entries[0];
  return begin ? `+${span(Date.parse(one.at) - Date.parse(begin.at))}` : "";
}

interface ActivationView {
  args: Record<string, Json>;
  headers: Record<string, string>;
  action: string;
  deliveries: { at: string; address: string; status: number | null; duration_ms: number | null; error: string }[];
}

function EntryDetail({ run, entry }: { run: string; entry: Entry }): JSX.Element {
  const sent = useLoad(`${run} ${entry.uuid}`, async (signal) => (entry.uuid ? (await call<ActivationView>("GET", at("flowrun", run, "activation", entry.uuid), { signal })).data : null), 0);
  return (
    <div class="entry-detail">
      <p class="faint">
        {moment(entry.at)} · {words.by} {plain(entry.by || "–")} {entry.uuid ? `· ${entry.uuid}` : ""}
      </p>
      {entry.error ? <p class="error">{plain(entry.error)}</p> : null}
      {entry.data !== null ? (
        <>
          <h3>{words.data}</h3>
          <JsonView value={entry.data} />
        </>
      ) : null}
      {Object.keys(entry.vars ?? {}).length ? (
        <>
          <h3>{words.variables}</h3>
          <JsonView value={entry.vars} />
        </>
      ) : null}
      {sent.data && (sent.data.action || sent.data.deliveries.length) ? (
        <>
          <h3>{words.sent(sent.data.action)}</h3>
          <JsonView value={sent.data.args} />
          <ul class="deliveries">
            {sent.data.deliveries.map((one) => (
              <li key={one.at}>
                {moment(one.at)} {plain(one.address)} <strong>{one.status ?? "–"}</strong> {one.duration_ms === null ? "" : span(one.duration_ms)} <span class="error">{plain(one.error)}</span>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </div>
  );
}

const MAX_BARS = 500;

/** How long each step took. Idle time is not hidden: the bars show where a run waited. */
function Timeline({ entries, live, select }: { entries: Entry[]; live: boolean; select: (step: string) => void }): JSX.Element {
  const begin = Date.parse(entries[0]?.at ?? "");
  const end = live ? Date.now() : Date.parse(entries.at(-1)?.at ?? "");
  const bars = useMemo(() => visits(entries, end), [entries, live]);
  const total = Math.max(1, end - begin);
  return (
    <ul class="timeline">
      {bars.slice(0, MAX_BARS).map((one, n) => (
        <li key={n}>
          <button type="button" class="quiet" onClick={() => select(one.step)}>
            {plain(one.step)}
          </button>
          <svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={`${one.step} ${span(one.end - one.begin)}`}>
            <rect x={((one.begin - begin) / total) * 100} width={Math.max(0.4, ((one.end - one.begin) / total) * 100)} y={2} height={6} class={one.failed ? "failed" : ""} />
          </svg>
          <span class="faint">{span(one.end - one.begin)}</span>
        </li>
      ))}
    </ul>
  );
}

interface Visit {
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

function Data({ run }: { run: Run }): JSX.Element {
  return (
    <>
      <h3>{words.input}</h3>
      <JsonView value={run.spec.input ?? null} />
      <h3>{words.variables}</h3>
      <JsonView value={run.spec.global_variable ?? {}} />
      <h3>{words.output}</h3>
      <JsonView value={run.spec.output ?? null} />
    </>
  );
}
