// Two runs side by side: the facts, where their paths part, and how long each step took.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { at, call } from "../../api/client";
import type { Entry, Run } from "../../api/types";
import { useLoad } from "../../ui/load";
import { Problem, Skeleton, Status, useTitle, When } from "../../ui/parts";
import { href } from "../../ui/router";
import { count, dollars, plain, span } from "../../ui/text";
import { RemoteValue } from "../../ui/value";
import { words } from "../../words/en";
import { Choice } from "./choice";
import { firstDifference, isSameMove, pathsOf, timesOf, type Difference, type Read, type StepTime } from "./paths";

const PAGE = 1_000;
/** How many entries of each history are read. */
const MAX_READ = 20_000;
const BEFORE = 4;
const AFTER = 8;

interface Side extends Read {
  run: Run;
  end: number;
}

async function readSide(name: string, signal: AbortSignal): Promise<Side> {
  const run = (await call<Run>("GET", at("flowrun", name), { query: { values: "short" }, signal })).data;
  const entries: Entry[] = [];
  let isComplete = false;
  while (entries.length < MAX_READ && !isComplete) {
    const found = await call<Entry[]>("GET", `${at("flowrun", name)}/history`, { query: { after: entries.at(-1)?.seq ?? 0, limit: PAGE, values: "short" }, signal });
    entries.push(...found.data);
    isComplete = found.cursor === null;
  }
  return { run, entries, isComplete, end: run.spec.ended_at ? Date.parse(run.spec.ended_at) : Date.now() };
}

export function Compare({ names }: { names: readonly string[] }): JSX.Element {
  const [left, right] = names;
  useTitle(words.compareRuns);
  if (!left || !right) return <Choice name={left ?? ""} />;
  return <Both left={left} right={right} />;
}

function Both({ left, right }: { left: string; right: string }): JSX.Element {
  const found = useLoad(`compare ${JSON.stringify([left, right])}`, (signal) => Promise.all([readSide(left, signal), readSide(right, signal)]), 0);
  const sides = found.data;
  const difference = useMemo(() => (sides ? firstDifference(sides[0], sides[1]) : null), [sides]);
  const times = useMemo(() => (sides ? timesOf(sides[0].entries, sides[1].entries, [sides[0].end, sides[1].end]) : []), [sides]);
  return (
    <>
      <div class="title">
        <h1>{words.compareRuns}</h1>
        <span class="actions">
          <a class="button" href={href(["compare", right, left])}>
            {words.swap}
          </a>
          <a class="button" href={href(["compare", left])}>
            {words.otherRun}
          </a>
        </span>
      </div>
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      {sides ? (
        <>
          <Facts left={sides[0]} right={sides[1]} />
          <PartingOf difference={difference} left={sides[0]} right={sides[1]} />
          <Times times={times} left={left} right={right} />
          <section class="compared">
            <h2>{words.input}</h2>
            <div class="columns">
              {sides.map((one) => (
                <section key={one.run.metadata.uuid} aria-label={one.run.metadata.name}>
                  <RemoteValue source={{ run: one.run.metadata.name, of: "input" }} label={words.inputOf(one.run.metadata.name)} />
                </section>
              ))}
            </div>
          </section>
        </>
      ) : found.error ? null : (
        <Skeleton />
      )}
    </>
  );
}

function Facts({ left, right }: { left: Side; right: Side }): JSX.Element {
  const name = (one: Side): JSX.Element => (
    <a class="name" href={href(["runs", one.run.metadata.name])}>
      {plain(one.run.metadata.name)}
    </a>
  );
  const cost = (one: Side): string => {
    const usd = (one.run.spec["cost"] as { usd?: number } | undefined)?.usd;
    return usd === undefined ? "–" : dollars(usd);
  };
  const rows: readonly (readonly [string, (one: Side) => JSX.Element | string])[] = [
    [words.status, (one) => <Status status={one.run.spec.status} />],
    [words.flow, (one) => `${plain(one.run.spec.flow || words.ownSteps)}@${one.run.spec.flow_version}`],
    [words.begun, (one) => <When at={one.run.spec.created_at} />],
    [words.took, (one) => span(one.end - Date.parse(one.run.spec.created_at))],
    [words.moves_, (one) => count(Number(one.run.spec["seq"] ?? one.entries.length))],
    [words.writes_, (one) => count(one.run.metadata.version)],
    [words.cost, cost],
    [words.error, (one) => plain(one.run.spec.error ? `${one.run.spec.error.name} (${one.run.spec.error.step})` : "–")],
  ];
  return (
    <div class="scroll compared">
      <table>
        <thead>
          <tr>
            <th />
            <th>{name(left)}</th>
            <th>{name(right)}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([label, cell]) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td>{cell(left)}</td>
              <td>{cell(right)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function PartingOf({ difference, left, right }: { difference: Difference | null; left: Side; right: Side }): JSX.Element {
  const isPartial = !left.isComplete || !right.isComplete;
  const token = difference?.token ?? "0";
  const [ours, theirs] = [pathsOf(left.entries).get(token) ?? [], pathsOf(right.entries).get(token) ?? []];
  const from = Math.max(0, (difference?.same ?? 0) - BEFORE);
  const until = Math.min(Math.max(ours.length, theirs.length), (difference?.same ?? 0) + AFTER);
  return (
    <section class="compared" aria-label={words.path}>
      <h2>{difference ? words.partAfter(difference.same, token) : words.samePath}</h2>
      {isPartial ? <p class="faint">{words.readOnly(count(left.entries.length), count(right.entries.length))}</p> : null}
      <div class="scroll">
        <table class="paths">
          <thead>
            <tr>
              <th />
              <th>{plain(left.run.metadata.name)}</th>
              <th>{plain(right.run.metadata.name)}</th>
            </tr>
          </thead>
          <tbody>
            {Array.from({ length: Math.max(0, until - from) }, (_, n) => from + n).map((n) => {
              const [a, b] = [ours[n], theirs[n]];
              const isSame = a !== undefined && b !== undefined && isSameMove(a, b);
              return (
                <tr key={n} class={isSame ? "" : "differs"}>
                  <td aria-label={isSame ? words.same : words.differs}>{isSame ? "=" : "≠"}</td>
                  <td>{a ? <Move run={left.run} entry={a} /> : "–"}</td>
                  <td>{b ? <Move run={right.run} entry={b} /> : "–"}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Move({ run, entry }: { run: Run; entry: Entry }): JSX.Element {
  return (
    <>
      <a href={href(["runs", run.metadata.name], { entry: String(entry.seq) })}>{entry.seq}</a> <strong>{plain(entry.from || entry.step)}</strong> {plain(entry.state)} → {plain(entry.to)}{" "}
      <span class="faint">+{span(Date.parse(entry.at) - Date.parse(run.spec.created_at))}</span>
      {entry.error ? <span class="error"> {plain(entry.error.slice(0, 160))}</span> : null}
    </>
  );
}

const MAX_STEPS = 200;

function Times({ times, left, right }: { times: readonly StepTime[]; left: string; right: string }): JSX.Element {
  const longest = Math.max(1, ...times.flatMap((one) => [one.left.milliseconds, one.right.milliseconds]));
  const bar = (side: StepTime["left"], label: string): JSX.Element => (
    <span class="time">
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={label}>
        <rect x={0} y={1} height={8} width={side.visits ? Math.max(0.5, (side.milliseconds / longest) * 100) : 0} />
      </svg>
      {side.visits ? span(side.milliseconds) : "–"} {side.visits > 1 ? <span class="faint">{side.visits}×</span> : null}
    </span>
  );
  return (
    <section class="compared" aria-label={words.timePerStep}>
      <h2>{words.timePerStep}</h2>
      <div class="scroll">
        <table class="times">
          <thead>
            <tr>
              <th>{words.step}</th>
              <th>{plain(left)}</th>
              <th>{plain(right)}</th>
              <th>{words.gap}</th>
            </tr>
          </thead>
          <tbody>
            {times.slice(0, MAX_STEPS).map((one) => {
              const gap = one.right.milliseconds - one.left.milliseconds;
              return (
                <tr key={one.step}>
                  <th scope="row">{plain(one.step)}</th>
                  <td>{bar(one.left, `${one.step} ${left}`)}</td>
                  <td>{bar(one.right, `${one.step} ${right}`)}</td>
                  <td>
                    {gap > 0 ? "+" : gap < 0 ? "−" : "±"}
                    {span(Math.abs(gap))}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
