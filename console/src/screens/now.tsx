// What needs attention now: failures, people who are waited for, deadlines. Every tile loads and fails by itself.
import type { JSX } from "preact";
import { call } from "../api/client";
import type { RunSummary, Task } from "../api/types";
import { useShortcuts } from "../ui/keys";
import { useLoad, type Loaded } from "../ui/load";
import { may } from "../ui/me";
import { Empty, Problem, Skeleton, useTitle, When } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { count, plain } from "../ui/text";
import { words } from "../words/en";
import { isOverdue, useDoctor } from "./health";

const SINCE: Record<string, number> = { "1h": 3_600_000, "24h": 86_400_000, "7d": 7 * 86_400_000 };
const TASKS = 20;

interface TileOf {
  status: string;
  name: string;
  note: string;
  path: string[];
  query?: Record<string, string>;
}

export function Now(): JSX.Element {
  const { query } = usePlace();
  const since = query.get("since") ?? "24h";
  useTitle(words.now);
  const from = new Date(Math.floor((Date.now() - (SINCE[since] ?? 86_400_000)) / 60_000) * 60_000).toISOString();
  const tasks = useLoad("tasks now", (signal) => (may("GET /task") ? call<Task[]>("GET", "/task", { query: { limit: TASKS, order: "deadline" }, signal }) : Promise.resolve(null)), 15);
  const tiles = tilesOf(since);
  useShortcuts(Object.fromEntries(tiles.map((one, n) => [String(n + 1), () => go(one.path, one.query)])));
  return (
    <>
      <div class="title">
        <h1>{words.now}</h1>
        <span class="segments" role="group" aria-label={words.sinceTime}>
          {Object.keys(SINCE).map((one) => (
            <a key={one} href={href([], { since: one })} aria-current={one === since}>
              {one}
            </a>
          ))}
        </span>
      </div>
      <ul class="tiles">
        {tiles.map((one, n) => (
          <li key={one.status}>
            {one.status === "people" ? (
              <Tile tile={one} n={n} found={tasks} shown={tasks.data ? `${count(tasks.data.data.length)}${tasks.data.cursor ? "+" : ""}` : null} />
            ) : one.status === "overdue" ? (
              <OverdueTile tile={one} n={n} />
            ) : (
              <CountTile tile={one} n={n} from={one.status === "failed" ? from : null} />
            )}
          </li>
        ))}
      </ul>
      <div class="columns">
        <Failures since={since} from={from} />
        {may("GET /task") ? <Tasks found={tasks} /> : null}
      </div>
    </>
  );
}

function tilesOf(since: string): TileOf[] {
  const all: (TileOf & { call: string })[] = [
    { status: "failed", name: words.tileFailed, note: since, path: ["runs"], query: { status: "failed", since }, call: "GET /flowrun/count" },
    { status: "people", name: words.tilePeople, note: words.inAll, path: ["inbox"], call: "GET /task" },
    { status: "overdue", name: words.tileOverdue, note: words.inAll, path: ["health"], call: "GET /doctor" },
    { status: "paused", name: words.tilePaused, note: words.inAll, path: ["runs"], query: { status: "paused" }, call: "GET /flowrun/count" },
    { status: "running", name: words.tileRunning, note: words.inAll, path: ["runs"], query: { status: "running" }, call: "GET /flowrun/count" },
  ];
  return all.filter((one) => may(one.call));
}

function Tile({ tile, n, found, shown, none }: { tile: TileOf; n: number; found: Loaded<unknown>; shown: string | null; none?: string }): JSX.Element {
  const isFailed = found.error && shown === null;
  return (
    <a class={`tile ${tile.status}${shown === "0" ? " zero" : ""}`} href={href(tile.path, tile.query ?? {})} title={String(n + 1)}>
      <strong aria-busy={shown === null && !isFailed}>{isFailed ? "?" : (shown ?? "…")}</strong>
      <span>{tile.name}</span>
      <span class={isFailed ? "error" : "faint"}>{isFailed ? plain(found.error?.message.slice(0, 80) ?? "") : (none ?? tile.note)}</span>
    </a>
  );
}

function CountTile({ tile, n, from }: { tile: TileOf; n: number; from: string | null }): JSX.Element {
  const found = useLoad(`count ${tile.status} ${from ?? ""}`, (signal) => call<{ counts: Record<string, number>; more: boolean }>("GET", "/flowrun/count", { query: { status: tile.status, since: from, group: "status" }, signal }), 30);
  const counted = found.data?.data;
  return <Tile tile={tile} n={n} found={found} shown={counted ? `${count(counted.counts[tile.status] ?? 0)}${counted.more ? "+" : ""}` : null} />;
}

function OverdueTile({ tile, n }: { tile: TileOf; n: number }): JSX.Element {
  const found = useDoctor();
  const report = found.data?.data;
  const overdue = report?.findings.filter(isOverdue).length ?? 0;
  return <Tile tile={tile} n={n} found={found} shown={report ? `${count(overdue)}${report.complete ? "" : "+"}` : null} />;
}

function Failures({ since, from }: { since: string; from: string }): JSX.Element {
  const found = useLoad(`failures ${from}`, (signal) => call<RunSummary[]>("GET", "/flowrun", { query: { status: "failed", view: "summary", limit: 10, since: from }, signal }), 10);
  const runs = found.data?.data ?? [];
  return (
    <section>
      <h2>{words.lastFailures}</h2>
      {found.error && !runs.length ? (
        <Problem error={found.error} retry={found.reload} />
      ) : found.loading && !runs.length ? (
        <Skeleton rows={4} />
      ) : runs.length ? (
        <ul class="cards">
          {runs.map((one) => (
            <li key={one.metadata.uuid}>
              <a href={href(["runs", one.metadata.name])}>
                <strong>{plain(one.metadata.name)}</strong> {plain(one.spec.error?.step || one.spec.current_state)}{" "}
                <span class="faint at-end">
                  <When at={one.spec.ended_at} />
                </span>
                <span class="error">{plain(one.spec.last_err.slice(0, 140))}</span>
              </a>
            </li>
          ))}
        </ul>
      ) : (
        <NothingFailed since={since} />
      )}
    </section>
  );
}

/** Nothing failed; or nothing has begun at all, and how to begin. */
function NothingFailed({ since }: { since: string }): JSX.Element {
  const found = useLoad("any run", (signal) => call<RunSummary[]>("GET", "/flowrun", { query: { view: "summary", limit: 1 }, signal }), 0);
  if (!found.data?.data.length && !found.loading && !found.error)
    return (
      <Empty title={words.noRuns}>
        <p>{words.threeWays}</p>
        <p>
          <a class="button" href={href(["flows"])}>
            {words.startWith}
          </a>
          <a class="button" href={href(["edit"], { example: "approval" })}>
            {words.tryExample}
          </a>
        </p>
        <pre>fsl run NAME --input '{"{...}"}'</pre>
      </Empty>
    );
  return (
    <Empty title={`${words.nothingFailed} (${since})`}>
      <p>
        <a class="button" href={href(["runs"])}>
          {words.allRuns}
        </a>
      </p>
    </Empty>
  );
}

function Tasks({ found }: { found: Loaded<{ data: Task[]; cursor: string | null } | null> }): JSX.Element {
  const tasks = found.data?.data ?? [];
  return (
    <section>
      <h2>{words.waitingForPeople}</h2>
      {found.error && !tasks.length ? (
        <Problem error={found.error} retry={found.reload} />
      ) : found.loading && !tasks.length ? (
        <Skeleton rows={4} />
      ) : tasks.length ? (
        <ul class="cards">
          {tasks.slice(0, 10).map((one) => (
            <li key={one.uuid}>
              <a href={href(["inbox"], { task: one.uuid })}>
                <strong>{plain(one.stepName)}</strong> {plain(one.flowId)}{" "}
                <span class="faint at-end">
                  {words.due} <When at={one.deadline} />
                </span>
              </a>
            </li>
          ))}
        </ul>
      ) : (
        <Empty title={words.noTasks}>
          <p>{words.noTasksHelp}</p>
        </Empty>
      )}
    </section>
  );
}
