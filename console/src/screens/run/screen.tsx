// One run: what it is, why it failed, what it waits for, its diagram, history and data; and what can be done about it.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, at, call } from "../../api/client";
import type { Graph, Run } from "../../api/types";
import { useShortcuts } from "../../ui/keys";
import { useLoad, useRested } from "../../ui/load";
import { Empty, Problem, Skeleton, useTitle } from "../../ui/parts";
import { go, here, href, usePlace } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { Commands, type Command } from "../commands";
import { Details } from "./details";
import { Head } from "./head";
import { Overview } from "./overview";
import { Replays } from "./replays";
import { LIVE, STOPPED } from "./status";
import { useHistory } from "./use_history";
import { Waits } from "./waits";
import { Why } from "./why";

/** A run that moves often is read again, with its diagram, at most so often. */
const TURN_MS = 500;

export function RunScreen({ name }: { name: string }): JSX.Element {
  const { query } = usePlace();
  useTitle(name);
  const found = useLoad(`run ${name}`, (signal) => call<Run>("GET", at("flowrun", name), { query: { values: "short" }, signal }));
  const run = found.data?.data ?? null;
  const live = run !== null && LIVE.includes(run.spec.status);
  const history = useHistory(name, live);
  const last = history.entries.last;
  const turn = useRested(last, TURN_MS);
  const first = useRef(0);
  if (!first.current) first.current = turn;
  const moved = turn === first.current ? 0 : turn; // 0: nothing has happened since the run was read first
  useEffect(() => {
    if (moved) found.reload();
  }, [moved]);
  const graph = useLoad(`graph ${name} ${moved}`, (signal) => call<Graph>("GET", `${at("flowrun", name)}/graph`, { query: { layout: true }, signal }), 0);
  const [kept, setKept] = useState<Graph | null>(null);
  useEffect(() => {
    if (graph.data) setKept(graph.data.data);
  }, [graph.data]);
  const [command, setCommand] = useState<Command | null>(null);
  const set = (changed: Record<string, string | null>): void => {
    const next = new URLSearchParams(here().query);
    for (const [key, value] of Object.entries(changed)) value ? next.set(key, value) : next.delete(key);
    go(["runs", name], next, true);
  };
  useShortcuts({
    d: () => set({ tab: null }),
    h: () => set({ side: null }),
    t: () => set({ side: "timeline" }),
    v: () => set({ side: "data" }),
    o: () => document.querySelector<HTMLElement>(".title .menu summary")?.click(),
  });
  if (!run && found.error instanceof ApiError && found.error.status === 404) return <Gone name={name} />;
  if (!run) return found.error ? <Problem error={found.error} retry={found.reload} /> : <Skeleton />;
  return (
    <>
      {found.error ? found.error instanceof ApiError && found.error.status === 404 ? <p class="banner">{words.goneRun}</p> : <Problem error={found.error} retry={found.reload} /> : null}
      <Head run={run} moves={last} command={setCommand} />
      {run.spec.error && STOPPED.includes(run.spec.status) ? <Why run={run} command={setCommand} /> : null}
      <Waits run={run} graph={kept} />
      <Replays run={run} last={last} />
      <div class="columns">
        <Overview run={run} graph={kept} problem={graph.error} retry={graph.reload} turn={turn} query={query} set={set} />
        <Details run={run} history={history} graph={kept} turn={turn} query={query} set={set} />
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
