// `POST /play`: plays of texts, of stored flows and of recorded runs.
import { call, textFrom } from "./client";
import type { Entry, Graph, Json } from "./types";

export type Move = Record<string, Json>;

/** What is played: a text, a stored flow, or a recorded run (against the text, if there is one). */
export interface Game {
  text?: string;
  flow?: string;
  input?: Json;
  run?: string;
  upto?: number;
  moves: Move[];
}

export interface Wait {
  run: string;
  step: string;
  token: string;
  kind: string;
  name: string;
  states: string[];
  args: Record<string, Json>;
  attempt: number;
  deadline: string | null;
  due: boolean;
}

export interface Difference {
  seq: number;
  recorded: Entry | null;
  now: Entry | null;
}

export interface Played {
  now: string;
  status: string;
  flow: string;
  waits: Wait[];
  next: { at: string; what: string } | null;
  vars: Record<string, Json>;
  output: Json;
  last_err: string;
  seq: number;
  history: Entry[];
  visits: { nodes: Record<string, number>; edges: Record<string, number>; current: string[]; failed: string[] };
  refused: { move: number; why: string }[];
  differs: Difference | null;
}

export async function play(game: Game, signal?: AbortSignal): Promise<Played> {
  return (await call<Played>("POST", "/play", { body: bodyOf(game), ...(signal ? { signal } : {}) })).data;
}

/** The play as a test for `fsl test`, in YAML. */
export function testOf(game: Game): Promise<string> {
  return textFrom("POST", "/play", { body: bodyOf(game), query: { format: "test" } });
}

function bodyOf(game: Game): Record<string, unknown> {
  const { text, run, ...rest } = game;
  return { ...rest, ...(text ? { text } : {}), ...(run ? { run } : {}) };
}

/** The graph of the flow with the path of the play. */
export function withVisits(graph: Graph, played: Played): Graph {
  const { nodes, edges, current, failed } = played.visits;
  return {
    ...graph,
    nodes: graph.nodes.map((one) => ({ ...one, visits: nodes[one.id] ?? 0, current: current.includes(one.id), failed: failed.includes(one.id) })),
    edges: graph.edges.map((one) => ({ ...one, visits: edges[`${one.source} -> ${one.target}`] ?? 0 })),
  };
}
