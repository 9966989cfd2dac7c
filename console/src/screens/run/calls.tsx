// The runs around a run: those that called it, those that it called, and the events between them.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../../api/client";
import type { Entry, Run, RunSummary } from "../../api/types";
import { useLoad } from "../../ui/load";
import { Problem, Skeleton, Status, When } from "../../ui/parts";
import { href } from "../../ui/router";
import { plain, span } from "../../ui/text";
import { words } from "../../words/en";

const MAX_DEPTH = 32;
const PAGE = 50;
const MAX_MESSAGES = 100;

/** What of a history is a message between runs, and whether the run sent it. */
const MESSAGES: Record<string, boolean> = { EventPublished: true, FlowStarted: true, EventArrived: false };

/** The run that an entry names as its author; empty: it was no run. */
function authorOf(by: string): string {
  return by.startsWith("run ") ? by.slice("run ".length) : "";
}

export function Calls({ run, turn }: { run: Run; turn: number }): JSX.Element {
  const name = run.metadata.name;
  const found = useLoad(`above ${name} ${turn}`, (signal) => above(run, signal), 0);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton />;
  const { callers, starter } = found.data;
  const own = <Node name={name} status={run.spec.status} flow={run.spec.flow} began={run.spec.created_at} ended={run.spec.ended_at} current isOpen turn={turn} />;
  const tree = callers.reduce(
    (inner, one) => (
      <li key={one.metadata.uuid}>
        <Line name={one.metadata.name} status={one.spec.status} flow={one.spec.flow} began={one.spec.created_at} ended={one.spec.ended_at} />
        <ul class="calls">{inner}</ul>
      </li>
    ),
    own,
  );
  return (
    <>
      {starter ? (
        <p>
          {words.startedBy} <a href={href(["runs", starter])}>{plain(starter)}</a>
        </p>
      ) : null}
      <ul class="calls" aria-label={words.calls}>
        {tree}
      </ul>
      <h3>{words.messages}</h3>
      <Messages name={name} turn={turn} />
    </>
  );
}

/** The runs that called this one, the nearest first, and the run that started it without waiting for it. */
async function above(run: Run, signal: AbortSignal): Promise<{ callers: RunSummary[]; starter: string }> {
  const callers: RunSummary[] = [];
  let parent = (run.spec["parent"] as { run: string } | null | undefined)?.run;
  const first = await call<Entry[]>("GET", `${at("flowrun", run.metadata.name)}/history`, { query: { limit: 1, values: "short" }, signal });
  const starter = parent ? "" : authorOf(first.data[0]?.by ?? "");
  while (parent && callers.length < MAX_DEPTH) {
    const found: { data: RunSummary } | null = await call<RunSummary>("GET", at("flowrun", parent), { query: { view: "summary" }, signal }).catch(() => null);
    if (!found) break; // it was deleted
    callers.push(found.data);
    parent = found.data.spec.parent?.run;
  }
  return { callers, starter };
}

interface LineProps {
  name: string;
  status: string;
  flow: string;
  began: string;
  ended: string | null;
  step?: string;
  current?: boolean;
}

function Line({ name, status, flow, began, ended, step, current }: LineProps): JSX.Element {
  const took = (ended ? Date.parse(ended) : Date.now()) - Date.parse(began);
  return (
    <>
      {step ? <span class="faint">{plain(step)} ↳ </span> : null}
      {current ? <strong>{plain(name)}</strong> : <a href={href(["runs", name])}>{plain(name)}</a>} <Status status={status} />{" "}
      <span class="faint">
        {plain(flow)} · {span(took)}
      </span>
    </>
  );
}

/** A run with the runs that it called, which are read when they are opened. */
function Node(props: LineProps & { isOpen?: boolean; turn: number }): JSX.Element {
  const [open, setOpen] = useState(props.isOpen ?? false);
  return (
    <li>
      <button type="button" class="fold" aria-expanded={open} aria-label={words.callsOf(props.name)} onClick={() => setOpen(!open)}>
        {open ? "▾" : "▸"}
      </button>{" "}
      <Line {...props} />
      {open ? <Children name={props.name} turn={props.turn} /> : null}
    </li>
  );
}

function Children({ name, turn }: { name: string; turn: number }): JSX.Element {
  const [limit, setLimit] = useState(PAGE);
  const found = useLoad(`called by ${name} ${turn} ${limit}`, (signal) => call<RunSummary[]>("GET", "/flowrun", { query: { parent: name, view: "summary", limit }, signal }), 0);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton rows={1} />;
  if (!found.data.data.length) return <p class="faint">{words.callsNone}</p>;
  return (
    <ul class="calls">
      {found.data.data.map((one) => (
        <Node
          key={one.metadata.uuid}
          name={one.metadata.name}
          status={one.spec.status}
          flow={one.spec.flow}
          began={one.spec.created_at}
          ended={one.spec.ended_at}
          step={one.spec.parent?.step ?? ""}
          turn={turn}
        />
      ))}
      {found.data.cursor && limit < 1_000 ? (
        <li>
          <button type="button" class="quiet" onClick={() => setLimit(1_000)}>
            {words.loadMore}
          </button>
        </li>
      ) : null}
    </ul>
  );
}

/** Events that the run published and received, and runs that it started without waiting for them. */
function Messages({ name, turn }: { name: string; turn: number }): JSX.Element {
  const found = useLoad(
    `messages ${name} ${turn}`,
    async (signal) => {
      const reads = Object.keys(MESSAGES).map((event) => call<Entry[]>("GET", `${at("flowrun", name)}/history`, { query: { event, order: "desc", limit: MAX_MESSAGES, values: "short" }, signal }));
      return (await Promise.all(reads)).flatMap((one) => one.data).sort((a, b) => b.seq - a.seq);
    },
    0,
  );
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton rows={2} />;
  if (!found.data.length) return <p class="faint">{words.messagesNone}</p>;
  return (
    <ul class="messages">
      {found.data.slice(0, MAX_MESSAGES).map((one) => (
        <li key={one.seq}>
          <a href={href(["runs", name], { tab: "calls", entry: String(one.seq) })}>{one.seq}</a> {MESSAGES[one.event] ? words.sentAt(plain(one.step)) : words.receivedAt(plain(one.step), plain(one.state))} <Other entry={one} /> <When at={one.at} />
        </li>
      ))}
    </ul>
  );
}

/** The run at the other end, as far as the history names it. */
function Other({ entry }: { entry: Entry }): JSX.Element | null {
  const data = entry.data as { name?: unknown } | null;
  const other = MESSAGES[entry.event] ? (entry.event === "FlowStarted" && typeof data?.name === "string" ? data.name : "") : authorOf(entry.by);
  if (!other) return null;
  return (
    <>
      {MESSAGES[entry.event] ? words.toRun : words.fromRun} <a href={href(["runs", other])}>{plain(other)}</a>
    </>
  );
}
