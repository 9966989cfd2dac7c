// The diagram of a flow or run, as the server laid it out. One tab stop: the arrow keys go along the routes.
import type { JSX } from "preact";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Graph, GraphEdge, GraphNode } from "../api/types";
import { words } from "../words/en";
import { plain } from "./text";

interface Props {
  graph: Graph;
  selected?: string | null;
  select?: (step: string) => void;
  dimmed?: boolean;
  /** What of the flow's runs is shown over it. */
  overlay?: "coverage" | "live" | undefined;
  /** The ids of nodes that are new. */
  added?: ReadonlySet<string>;
  /** Add a step after this one: the selected box has a button for it. */
  add?: (step: string) => void;
  /** What other keys do with the step that has the focus. */
  keys?: Readonly<Record<string, (step: string) => void>>;
}

/** The node to which an arrow key leads from another: down and up along the routes, sideways to what the same step leads to. */
export function leadsAlong(graph: Graph, from: string, key: string): string | undefined {
  const forward = graph.edges.filter((one) => one.source === from && one.target !== from).map((one) => one.target);
  const back = graph.edges.filter((one) => one.target === from && one.source !== from).map((one) => one.source);
  const siblings = back.length ? graph.edges.filter((one) => one.source === back[0]).map((one) => one.target) : [from];
  const turn = (by: number): string | undefined => siblings[(siblings.indexOf(from) + by + siblings.length) % siblings.length];
  return { ArrowDown: forward[0], ArrowUp: back[0], ArrowRight: turn(1), ArrowLeft: turn(-1) }[key];
}

const MARK = 40;

/** The name of the step of a node; empty for the marks at begin and end. */
export function stepOf(node: GraphNode): string {
  return node.id.startsWith("step:") ? node.name : "";
}

export function Diagram({ graph, selected, select, dimmed, overlay, added, add, keys }: Props): JSX.Element {
  const layout = graph.layout;
  const nodes = useMemo(() => new Map(graph.nodes.map((one) => [one.id, one])), [graph]);
  const edges = useMemo(() => new Map(graph.edges.map((one) => [`${one.source} ${one.target}`, one])), [graph]);
  const [focus, setFocus] = useState<string | null>(null);
  const [zoom, setZoom] = useState(1);
  const frame = useRef<HTMLDivElement>(null);
  const most = Math.max(1, ...graph.nodes.map((one) => one.there ?? 0));
  const at = focus ?? (selected ? `step:${selected}` : null) ?? graph.nodes.find((one) => one.current || one.failed)?.id ?? null;
  const width = layout?.width ?? 0;
  useEffect(() => {
    const room = frame.current?.clientWidth ?? 0;
    if (room && width) setZoom(Math.min(1, Math.max(0.35, (room - 24) / (width + 24))));
  }, [width]);
  useMoves(frame, layout);
  const ways = useMemo(() => (layout?.ways ?? []).map((way) => ({ way, edge: edges.get(`${way.source} ${way.target}`) ?? edgeLike(edges, way.source, way.target) })), [layout, edges]);
  if (!layout) return <List graph={graph} select={select} />;
  const move = (event: KeyboardEvent): void => {
    const here = at ? nodes.get(at) : graph.nodes[0];
    if (!here) return;
    const next = leadsAlong(graph, here.id, event.key);
    const act = keys?.[event.key];
    if (act && stepOf(here)) {
      event.preventDefault();
      act(stepOf(here));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const step = stepOf(here);
      if (step) select?.(step);
    } else if (next) {
      event.preventDefault();
      setFocus(next);
    }
  };
  return (
    <div class={`diagram${dimmed ? " dimmed" : ""}${overlay ? ` ${overlay}` : ""}`}>
      <div class="diagram-tools">
        <button type="button" class="quiet" onClick={() => setZoom(Math.max(0.2, zoom / 1.25))} aria-label={words.zoomOut}>
          −
        </button>
        <span class="faint">{Math.round(zoom * 100)} %</span>
        <button type="button" class="quiet" onClick={() => setZoom(Math.min(3, zoom * 1.25))} aria-label={words.zoomIn}>
          +
        </button>
      </div>
      <div
        class="diagram-frame"
        ref={frame}
        tabIndex={0}
        role="application"
        aria-label={words.diagramOf(graph.name)}
        aria-describedby="diagram-now"
        onKeyDown={move}
      >
        <svg width={(width + 24) * zoom} height={(layout.height + 24) * zoom} viewBox={`-12 -12 ${width + 24} ${layout.height + 24}`} aria-hidden="true">
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto-start-reverse">
              <path d="M0 0 L8 4 L0 8 z" />
            </marker>
          </defs>
          {layout.boxes.map((box) => {
            const node = nodes.get(box.id.split(/:(?=step:|begin:|done:|stopped:)/)[0] ?? box.id) ?? nodes.get(box.id);
            return <Box key={`${box.id}/${box.scope}`} box={box} node={node} focused={box.id === at} selected={selected === node?.name} select={select} isNew={added?.has(node?.id ?? "") === true} add={add} small={zoom < 0.3} counted={overlay === "coverage"} heat={overlay === "live" ? Math.ceil((5 * (node?.there ?? 0)) / most) : 0} />;
          })}
          {ways.map(({ way, edge }, n) => (
            <Way key={n} way={way} edge={edge} />
          ))}
          {zoom < 0.3 ? null : ways.map(({ way, edge }, n) => (edge?.labels.length ? <Labels key={n} way={way} edge={edge} /> : null))}
        </svg>
      </div>
      <p id="diagram-now" class="visually-hidden" aria-live="polite">
        {at && nodes.get(at) ? spoken(nodes.get(at) as GraphNode, graph) : ""}
      </p>
    </div>
  );
}

const MOVE_MS = 200;

/** Let boxes that have moved glide to their new places, unless the reader wants no motion. */
function useMoves(frame: RefObject<HTMLElement | null>, layout: Graph["layout"]): void {
  const before = useRef<Map<string, { x: number; y: number }> | null>(null);
  useLayoutEffect(() => {
    const old = before.current;
    before.current = layout ? new Map(layout.boxes.map((one) => [`${one.id}/${one.scope}`, one])) : null;
    if (!layout || !old || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const element of frame.current?.querySelectorAll<SVGElement>("[data-box]") ?? []) {
      const [from, to] = [old.get(element.dataset["box"] ?? ""), before.current?.get(element.dataset["box"] ?? "")];
      if (to && from && (from.x !== to.x || from.y !== to.y)) element.animate([{ transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)` }, { transform: "none" }], { duration: MOVE_MS, easing: "ease-out" });
      else if (to && !from) element.animate([{ opacity: 0 }, { opacity: 1 }], { duration: MOVE_MS });
    }
    for (const element of frame.current?.querySelectorAll<SVGElement>(".way") ?? []) element.animate([{ opacity: 0 }, { opacity: 1 }], { duration: MOVE_MS });
  }, [layout]);
}

function edgeLike(edges: Map<string, GraphEdge>, source: string, target: string): GraphEdge | undefined {
  // In a large scope every route has an end of its own: `done:SCOPE:step:NAME`.
  const end = /^((?:done|stopped):.*?):step:/.exec(target)?.[1];
  return end ? edges.get(`${source} ${end}`) : undefined;
}

function spoken(node: GraphNode, graph: Graph): string {
  const leads = graph.edges.filter((one) => one.source === node.id).map((one) => `${one.labels.join(" or ") || "then"} to ${one.target.split(":")[1] || one.target.split(":")[0]}`);
  const state = node.there ? words.liveAt(node.there) : node.failed ? words.failedHere : node.current ? words.isHere : node.visits ? words.visited(node.visits) : "";
  return [node.name || node.kind, node.detail, state, leads.length ? words.leadsTo(leads.join(", ")) : ""].filter(Boolean).join(", ");
}

interface BoxProps {
  box: { id: string; scope: string; x: number; y: number; w: number; h: number };
  node: GraphNode | undefined;
  focused: boolean;
  selected: boolean;
  small: boolean;
  select: ((step: string) => void) | undefined;
  add: ((step: string) => void) | undefined;
  isNew: boolean;
  /** How many tokens are here, from 0 to 5. */
  heat: number;
  /** Whether the edges say how often routes were taken. */
  counted: boolean;
}

function Box({ box, node, focused, selected, select, isNew, add, small, heat, counted }: BoxProps): JSX.Element {
  const id = `${box.id}/${box.scope}`;
  if (!node) return <rect class="branch" data-box={id} x={box.x} y={box.y} width={box.w} height={box.h} rx={8} />;
  const state = [node.kind, node.failed ? "failed" : node.current ? "current" : node.visits ? "visited" : "", focused ? "focused" : "", selected ? "selected" : "", isNew ? "added" : "", heat ? `heat-${heat}` : ""].filter(Boolean).join(" ");
  if (box.w < MARK && !node.name) {
    const r = box.w / 2;
    return (
      <g class={`mark ${state}`} data-box={id}>
        <circle cx={box.x + r} cy={box.y + r} r={r - 1} />
        {node.kind === "stopped" ? <path d={`M${box.x + 5} ${box.y + 5} l8 8 m0 -8 l-8 8`} /> : null}
      </g>
    );
  }
  const step = stepOf(node);
  const holds = box.h > 80;
  return (
    <g class={`node ${state}`} data-box={id} onClick={step && select ? () => select(step) : undefined}>
      <title>{plain(`${node.name} ${node.detail}`)}</title>
      <rect x={box.x} y={box.y} width={box.w} height={box.h} rx={9} />
      {small ? null : (
        <>
          <text class="name" x={box.x + box.w / 2} y={box.y + (node.detail ? 17 : holds ? 22 : box.h / 2 + 4)}>
            {plain(short(node.name))}
          </text>
          {node.detail ? (
            <text class="detail" x={box.x + box.w / 2} y={box.y + 32}>
              {plain(short(node.detail))}
            </text>
          ) : null}
        </>
      )}
      {node.visits > 1 && !counted ? (
        <text class="visits" x={box.x + box.w - 6} y={box.y + 12}>
          {node.visits}×
        </text>
      ) : null}
      {heat ? (
        <g class="there">
          <rect x={box.x + box.w - 14} y={box.y - 10} width={16 + 7 * String(node.there).length} height={20} rx={10} />
          <text x={box.x + box.w - 6 + 3.5 * String(node.there).length} y={box.y + 4}>
            {node.there}
          </text>
        </g>
      ) : null}
      {selected && add && step && !small ? (
        <g
          class="add"
          onClick={(event) => {
            event.stopPropagation();
            add(step);
          }}
        >
          <title>{words.addAfter(plain(step))}</title>
          <circle cx={box.x + box.w} cy={box.y + box.h} r={12} />
          <path d={`M${box.x + box.w - 5} ${box.y + box.h} h10 m-5 -5 v10`} />
        </g>
      ) : null}
      {node.failed ? (
        <g class="flag">
          <circle cx={box.x + 2} cy={box.y + 2} r={9} />
          <text x={box.x + 2} y={box.y + 6}>
            ✕
          </text>
        </g>
      ) : null}
    </g>
  );
}

function short(text: string): string {
  return text.length > 34 ? `${text.slice(0, 33)}…` : text;
}

type Drawn = NonNullable<Graph["layout"]>["ways"][number];

/** The class of an edge and its labels: whether a run took it, and, if routes were counted, whether none did. */
function classOf(edge: GraphEdge | undefined): string {
  const times = edge?.taken;
  const taken = (times?.length ? times.reduce((sum, one) => sum + one, 0) : (edge?.visits ?? 0)) > 0;
  return `way${taken ? " taken" : ""}${times?.length && !taken ? " untaken" : ""}`;
}

function Way({ way, edge }: { way: Drawn; edge: GraphEdge | undefined }): JSX.Element {
  const [first, last] = [way.points[0], way.points[way.points.length - 1]];
  const path = way.loop && first && last ? `M${first[0]} ${first[1]} C${first[0] + 30} ${first[1] - 6} ${last[0] + 30} ${last[1] + 6} ${last[0]} ${last[1]}` : smooth(way.points);
  return (
    <g class={classOf(edge)}>
      <path d={path} marker-end="url(#arrow)" />
    </g>
  );
}

/** Above all edges, so that no edge crosses a label. */
function Labels({ way, edge }: { way: Drawn; edge: GraphEdge }): JSX.Element {
  const times = edge.taken;
  return (
    <g class={classOf(edge)}>
      {edge.labels.map((label, n) => (
        <text key={n} x={way.label[0]} y={way.label[1] + n * 15 - (edge.labels.length - 1) * 7.5 + 4} class={times && !times[n] ? "never" : ""}>
          {plain(short(label))}
          {times ? ` ${times[n] ? `${times[n]}×` : "0"}` : ""}
        </text>
      ))}
    </g>
  );
}

function smooth(points: readonly [number, number][]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first[0]} ${first[1]}`;
  let [x, y] = first;
  for (const [nextX, nextY] of rest) {
    const middle = (y + nextY) / 2;
    path += nextX === x ? ` L${nextX} ${nextY}` : ` C${x} ${middle} ${nextX} ${middle} ${nextX} ${nextY}`;
    [x, y] = [nextX, nextY];
  }
  return path;
}

/** The same as a list: for readers that cannot use the picture, and for print. */
export function List({ graph, select }: { graph: Graph; select?: ((step: string) => void) | undefined }): JSX.Element {
  return (
    <ul class="steps">
      {graph.nodes
        .filter((one) => stepOf(one))
        .map((one) => (
          <li key={one.id} class={one.failed ? "failed" : one.current ? "current" : one.visits ? "visited" : ""}>
            <button type="button" class="quiet" onClick={() => select?.(one.name)}>
              {plain(one.name)}
            </button>{" "}
            <span class="faint">{plain(one.detail)}</span>
            <ul>
              {graph.edges
                .filter((edge) => edge.source === one.id)
                .map((edge) => (
                  <li key={edge.target}>
                    {plain(edge.labels.join(" | ")) || "…"} → {plain(edge.target.split(":")[1] || edge.target.split(":")[0] || "")}
                    {edge.visits ? <strong> {edge.visits}×</strong> : null}
                  </li>
                ))}
            </ul>
          </li>
        ))}
    </ul>
  );
}
