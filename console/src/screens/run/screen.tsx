// One run: what it is, why it failed, what it waits for, its diagram, history and data; and what can be done about it.
import type { JSX } from "preact";
import { lazy, Suspense } from "preact/compat";
import { useEffect, useState } from "preact/hooks";
import { ApiError, at, call } from "../../api/client";
import type { Graph, Run } from "../../api/types";
import { Diagram, List, stepOf } from "../../ui/diagram";
import { useShortcuts } from "../../ui/keys";
import { useLoad } from "../../ui/load";
import { Empty, Problem, Skeleton, Tabs, useTitle } from "../../ui/parts";
import { go, here, href, usePlace } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { Commands, type Command } from "../commands";
import { Data } from "./data";
import { newest } from "./entries";
import { FlowText } from "./flow_text";
import { Head } from "./head";
import { History } from "./history";
import { Replays } from "./replays";
import { LIVE, STOPPED } from "./status";
import { Timeline } from "./timeline";
import { useHistory } from "./use_history";
import { Waits } from "./waits";
import { Why } from "./why";

const Calls = lazy(async () => ({ default: (await import("./calls")).Calls }));
const Cost = lazy(async () => ({ default: (await import("./cost")).Cost }));
const Items = lazy(async () => ({ default: (await import("../items/items")).Items }));

export function RunScreen({ name }: { name: string }): JSX.Element {
  const { query } = usePlace();
  useTitle(name);
  const found = useLoad(`run ${name}`, (signal) => call<Run>("GET", at("flowrun", name), { query: { values: "short" }, signal }));
  const run = found.data?.data ?? null;
  const live = run !== null && LIVE.includes(run.spec.status);
  const history = useHistory(name, live);
  const last = history.entries.last;
  useEffect(() => found.reload(), [last]);
  const graph = useLoad(`graph ${name} ${last}`, (signal) => call<Graph>("GET", `${at("flowrun", name)}/graph`, { query: { layout: true }, signal }), 0);
  const [kept, setKept] = useState<Graph | null>(null);
  useEffect(() => {
    if (graph.data) setKept(graph.data.data);
  }, [graph.data]);
  const [command, setCommand] = useState<Command | null>(null);
  const step = query.get("step");
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
  const tab = query.get("tab") ?? "diagram";
  const side = query.get("side") ?? "history";
  const steps = (kept?.nodes ?? []).map(stepOf).filter(Boolean);
  const eachSteps = (kept?.nodes ?? []).filter((one) => one.kind === "each").map((one) => one.name);
  return (
    <>
      {found.error ? found.error instanceof ApiError && found.error.status === 404 ? <p class="banner">{words.goneRun}</p> : <Problem error={found.error} retry={found.reload} /> : null}
      <Head run={run} moves={last} command={setCommand} />
      {run.spec.error && STOPPED.includes(run.spec.status) ? <Why run={run} command={setCommand} /> : null}
      <Waits run={run} graph={kept} />
      <Replays run={run} last={last} />
      <div class="columns">
        <section aria-label={words.diagram}>
          <Tabs
            label={words.diagram}
            at={tab}
            go={(next) => set({ tab: next === "diagram" ? null : next })}
            tabs={[["diagram", words.diagram], ["steps", words.steps], ...(eachSteps.length ? ([["items", words.items]] as const) : []), ["calls", words.calls], ["text", words.text]]}
          />
          {tab === "text" ? (
            <FlowText run={run} />
          ) : tab === "calls" ? (
            <Suspense fallback={<Skeleton />}>
              <Calls run={run} turn={last} />
            </Suspense>
          ) : tab === "items" ? (
            <Suspense fallback={<Skeleton />}>
              <Items run={name} steps={eachSteps} turn={last} follow={(token) => set({ token, step: null, failed: null, find: null, entry: null, side: null })} />
            </Suspense>
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
          <Tabs label={words.history} at={side} go={(next) => set({ side: next === "history" ? null : next })} tabs={[["history", words.history], ["timeline", words.timeline], ["data", words.data], ["cost", words.cost]]} />
          {side === "cost" ? (
            <Suspense fallback={<Skeleton />}>
              <Cost run={run} turn={last} />
            </Suspense>
          ) : side === "data" ? (
            <Data run={run} turn={last} />
          ) : side === "timeline" ? (
            <Timeline entries={newest(history.entries)} live={live} select={(one) => set({ step: one, side: null })} />
          ) : (
            <History run={run} history={history} steps={steps} query={query} set={set} />
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
