// What needs attention now: failures, people who are waited for, deadlines.
import type { JSX } from "preact";
import { call } from "../api/client";
import type { RunSummary, Task } from "../api/types";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Empty, Problem, Skeleton, useTitle, When } from "../ui/parts";
import { href, usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";

const TILES: readonly (readonly [string, string])[] = [
  ["failed", words.tileFailed],
  ["running", words.tileRunning],
  ["paused", words.tilePaused],
  ["pending", words.tilePending],
];
const SINCE: Record<string, number> = { "1h": 3_600_000, "24h": 86_400_000, "7d": 7 * 86_400_000 };

export function Now(): JSX.Element {
  const { query } = usePlace();
  const since = query.get("since") ?? "24h";
  useTitle(words.now);
  const from = new Date(Math.floor((Date.now() - (SINCE[since] ?? 86_400_000)) / 60_000) * 60_000).toISOString();
  return (
    <>
      <div class="title">
        <h1>{words.now}</h1>
        <span class="segments" role="group" aria-label={words.since}>
          {Object.keys(SINCE).map((one) => (
            <a key={one} href={href([], { since: one })} aria-current={one === since}>
              {one}
            </a>
          ))}
        </span>
      </div>
      <Counts since={since} from={from} />
      <div class="columns">
        <Failures since={since} from={from} />
        {may("GET /task") ? <Tasks /> : null}
      </div>
    </>
  );
}

function Counts({ since, from }: { since: string; from: string }): JSX.Element {
  const found = useLoad(`count ${from}`, (signal) => call<{ counts: Record<string, number>; more: boolean }>("GET", "/flowrun/count", { query: { since: from, group: "status" }, signal }), 30);
  const counts = found.data?.data;
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  return (
    <ul class="tiles">
      {TILES.map(([status, name]) => (
        <li key={status}>
          <a class={`tile ${status}`} href={href(["runs"], { status, since })}>
            <strong>{counts ? `${counts.counts[status] ?? 0}${counts.more ? "+" : ""}` : "…"}</strong>
            <span>{name}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function Failures({ since, from }: { since: string; from: string }): JSX.Element {
  const found = useLoad(`failures ${from}`, (signal) => call<RunSummary[]>("GET", "/flowrun", { query: { status: "failed", view: "summary", limit: 10, since: from }, signal }), 10);
  const runs = found.data?.data ?? [];
  return (
    <section>
      <h2>{words.lastFailures}</h2>
      {found.error ? (
        <Problem error={found.error} retry={found.reload} />
      ) : found.loading && !runs.length ? (
        <Skeleton rows={4} />
      ) : runs.length ? (
        <ul class="cards">
          {runs.map((one) => (
            <li key={one.metadata.uuid}>
              <a href={href(["runs", one.metadata.name])}>
                <strong>{plain(one.metadata.name)}</strong> {plain(one.spec.error?.step || one.spec.current_state)}{" "}
                <span class="faint">
                  <When at={one.spec.ended_at} />
                </span>
                <span class="error">{plain(one.spec.last_err.slice(0, 140))}</span>
              </a>
            </li>
          ))}
        </ul>
      ) : (
        <Empty title={words.nothingFailed}>
          <p>
            <a class="button" href={href(["flows"])}>
              {words.start}
            </a>{" "}
            <a class="button" href={href(["runs"], { since })}>
              {words.allRuns}
            </a>
          </p>
        </Empty>
      )}
    </section>
  );
}

function Tasks(): JSX.Element {
  const found = useLoad("tasks now", (signal) => call<Task[]>("GET", "/task", { query: { limit: 10, order: "deadline" }, signal }), 15);
  const tasks = found.data?.data ?? [];
  return (
    <section>
      <h2>{words.waitingForPeople}</h2>
      {found.error ? (
        <Problem error={found.error} retry={found.reload} />
      ) : tasks.length ? (
        <ul class="cards">
          {tasks.map((one) => (
            <li key={one.uuid}>
              <a href={href(["inbox"], { task: one.uuid })}>
                <strong>{plain(one.stepName)}</strong> {plain(one.flowId)}{" "}
                <span class="faint">
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
