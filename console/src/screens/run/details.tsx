// A run in detail: its history, how long each step took, its data and its cost.
import type { JSX } from "preact";
import { lazy, Suspense } from "preact/compat";
import type { Graph, Run } from "../../api/types";
import { stepOf } from "../../ui/diagram";
import { Skeleton, Tabs } from "../../ui/parts";
import { words } from "../../words/en";
import { Data } from "./data";
import { newest } from "./entries";
import { History } from "./history";
import { LIVE } from "./status";
import { Timeline } from "./timeline";
import type { History as Read } from "./use_history";

const Cost = lazy(async () => ({ default: (await import("./cost")).Cost }));

interface Props {
  run: Run;
  history: Read;
  graph: Graph | null;
  /** Changes when something has happened to the run. */
  turn: number;
  query: URLSearchParams;
  set: (changed: Record<string, string | null>) => void;
}

export function Details(props: Props): JSX.Element {
  const { query, set } = props;
  return (
    <section aria-label={words.history}>
      <Tabs
        label={words.history}
        at={query.get("side") ?? "history"}
        go={(next) => set({ side: next === "history" ? null : next })}
        tabs={[
          ["history", words.history],
          ["timeline", words.timeline],
          ["data", words.data],
          ["cost", words.cost],
        ]}
      />
      <Suspense fallback={<Skeleton />}>
        <Pane {...props} />
      </Suspense>
    </section>
  );
}

function Pane({ run, history, graph, turn, query, set }: Props): JSX.Element {
  switch (query.get("side")) {
    case "cost":
      return <Cost run={run} turn={turn} />;
    case "data":
      return <Data run={run} turn={turn} />;
    case "timeline":
      return <Timeline entries={newest(history.entries)} live={LIVE.includes(run.spec.status)} select={(one) => set({ step: one, side: null })} />;
    default:
      return <History run={run} history={history} steps={(graph?.nodes ?? []).map(stepOf).filter(Boolean)} query={query} set={set} />;
  }
}
