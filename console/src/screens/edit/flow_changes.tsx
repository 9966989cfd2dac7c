// What saving does to a flow: steps and routes that come and go, in words and in its diagram, and who keeps the old one.
import type { JSX } from "preact";
import { call } from "../../api/client";
import type { Graph } from "../../api/types";
import { Diagram } from "../../ui/diagram";
import { useLoad } from "../../ui/load";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { analyze } from "./analysis";

const LIVE = "pending,running,paused";

/** The steps and routes of a graph, each with a word for it. */
function partsOf(graph: Graph): Map<string, string> {
  const names = new Map(graph.nodes.map((one) => [one.id, one.name || one.kind]));
  const parts = new Map(graph.nodes.filter((one) => one.id.startsWith("step:")).map((one) => [one.id, words.changedStep(one.name, one.detail)]));
  for (const edge of graph.edges)
    for (const label of edge.labels) parts.set(`${edge.source} ${label} ${edge.target}`, words.changedRoute(names.get(edge.source) ?? "", label, names.get(edge.target) ?? ""));
  return parts;
}

/** What only the first graph has, in words. */
export function onlyIn(first: Graph, second: Graph): string[] {
  const others = new Set(partsOf(second).values());
  return [...partsOf(first).values()].filter((one) => !others.has(one));
}

export function FlowChanges({ name, old, graph }: { name: string; old: string; graph: Graph }): JSX.Element | null {
  const before = useLoad(`review ${name} ${old}`, async (signal) => (await analyze(old, { signal })).graphs[name] ?? null, 0);
  const live = useLoad(
    `review live ${name}`,
    async (signal) => {
      const found = (await call<{ counts: Record<string, number>; more: boolean }>("GET", "/flowrun/count", { query: { flow: name, status: LIVE, group: "status" }, signal })).data;
      return { count: Object.values(found.counts).reduce((sum, one) => sum + one, 0), more: found.more };
    },
    0,
  );
  if (!before.data) return null;
  const [added, removed] = [onlyIn(graph, before.data), onlyIn(before.data, graph)];
  const known = new Set(before.data.nodes.map((one) => one.id));
  return (
    <>
      {added.length + removed.length ? (
        <ul class="diff in-words">
          {removed.map((one) => (
            <li key={one} class="removed">
              <span class="visually-hidden">{words.removed} </span>− {plain(one)}
            </li>
          ))}
          {added.map((one) => (
            <li key={one} class="added">
              <span class="visually-hidden">{words.added} </span>+ {plain(one)}
            </li>
          ))}
        </ul>
      ) : (
        <p class="faint">{words.sameDiagram}</p>
      )}
      {added.length && graph.layout ? (
        <details>
          <summary>{words.diagram}</summary>
          <Diagram graph={graph} added={new Set(graph.nodes.map((one) => one.id).filter((one) => !known.has(one)))} />
        </details>
      ) : null}
      {live.data ? <p class="faint">{words.keepOld(live.data.count, live.data.more)}</p> : null}
    </>
  );
}
