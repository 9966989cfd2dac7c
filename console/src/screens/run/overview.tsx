// The whole of a run: its diagram, the same as a list, the items of its eaches, the runs around it, its text.
import type { JSX } from "preact";
import { lazy, Suspense } from "preact/compat";
import type { Graph, Run } from "../../api/types";
import { Diagram, List } from "../../ui/diagram";
import { Problem, Skeleton, Tabs } from "../../ui/parts";
import { words } from "../../words/en";
import { FlowText } from "./flow_text";

const Calls = lazy(async () => ({ default: (await import("./calls")).Calls }));
const Items = lazy(async () => ({ default: (await import("../items/items")).Items }));

interface Props {
  run: Run;
  graph: Graph | null;
  problem: Error | null;
  retry: () => void;
  /** Changes when something has happened to the run. */
  turn: number;
  query: URLSearchParams;
  set: (changed: Record<string, string | null>) => void;
}

export function Overview(props: Props): JSX.Element {
  const { graph, query, set } = props;
  const eaches = (graph?.nodes ?? []).filter((one) => one.kind === "each").map((one) => one.name);
  return (
    <section aria-label={words.diagram}>
      <Tabs
        label={words.diagram}
        at={query.get("tab") ?? "diagram"}
        go={(next) => set({ tab: next === "diagram" ? null : next })}
        tabs={[["diagram", words.diagram], ["steps", words.steps], ...(eaches.length ? ([["items", words.items]] as const) : []), ["calls", words.calls], ["text", words.text]]}
      />
      <Suspense fallback={<Skeleton />}>
        <Pane {...props} eaches={eaches} />
      </Suspense>
    </section>
  );
}

function Pane({ run, graph, problem, retry, turn, query, set, eaches }: Props & { eaches: string[] }): JSX.Element {
  const step = query.get("step");
  switch (query.get("tab")) {
    case "text":
      return <FlowText run={run} />;
    case "calls":
      return <Calls run={run} turn={turn} />;
    case "items":
      if (graph) return <Items run={run.metadata.name} steps={eaches} turn={turn} follow={(token) => set({ token, step: null, failed: null, find: null, entry: null, side: null })} />;
      break;
    case "steps":
      if (graph) return <List graph={graph} select={(one) => set({ step: one })} />;
      break;
    default:
      if (graph) return <Diagram graph={graph} selected={step} select={(one) => set({ step: one === step ? null : one, side: null })} />;
  }
  return problem ? <Problem error={problem} retry={retry} /> : <Skeleton />;
}
