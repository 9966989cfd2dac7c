// A step in words: what it waits for, for how long, and what follows. From the definition, or from what a token waits for.
import type { Explained, Graph, GraphEdge, Json, TokenView } from "../api/types";
import { words } from "../words/en";
import { moment } from "./text";

const NO_ANSWER = "TIMEOUT";
const FAILED = "ERROR";

/** Where an edge leads: the name of a step, `done` or `stopped`. */
function targetOf(edge: GraphEdge): string {
  const [kind = "", name = ""] = edge.target.split(/:(.*)/s);
  return kind === "step" ? name : kind;
}

function labelInWords(label: string): string {
  return label === NO_ANSWER ? words.words.noAnswer : label === FAILED ? words.words.error : label;
}

function edgesOf(graph: Graph, step: string): GraphEdge[] {
  return graph.edges.filter((one) => one.source === `step:${step}`);
}

/** The sentences about one step of a flow. */
export function inWords(row: Explained, graph: Graph): string[] {
  const edges = edgesOf(graph, row.step);
  const node = graph.nodes.find((one) => one.id === `step:${row.step}`);
  const ways = edges.map((one) => routeInWords(one, edges.length));
  return [whatItDoes(row, edges, node?.detail ?? ""), ...ways, ...(row.retry ? [words.words.tries(row.retry.value)] : [])].filter(Boolean);
}

function whatItDoes(row: Explained, edges: readonly GraphEdge[], detail: string): string {
  const within = row.timeout?.value ?? "";
  switch (row.kind) {
    case "choice":
      return words.words.choice;
    case "set":
      return detail === "milestone" ? words.words.milestone : words.words.set;
    case "action": {
      const states = edges.flatMap((one) => one.labels).filter((one) => /^[A-Z][A-Z0-9_]*$/.test(one) && one !== NO_ANSWER && one !== FAILED);
      return isPerson(row) && states.length ? words.words.person(row.action ?? "", states, within) : words.words.action(row.action ?? "", within);
    }
    case "wait":
    case "timer":
      return words.words.timer(detail);
    case "event":
      return words.words.event(detail, within);
    case "condition":
      return words.words.condition(detail, within);
    case "fork":
      return words.words.fork(detail);
    case "each":
      return words.words.each(detail);
    case "call":
      return words.words.call(detail);
    case "emit":
      return words.words.emit(detail.replace(/^emit /, ""));
    case "start":
      return words.words.start(detail.replace(/^start /, ""));
    default:
      return detail;
  }
}

/** Nothing is sent to a person, so that an action of a person has no deliveries. */
export function isPerson(row: Explained): boolean {
  return row.kind === "action" && row.retry === null;
}

function routeInWords(edge: GraphEdge, count: number): string {
  const target = targetOf(edge);
  const conditions = edge.labels.filter((one) => one === "else" || one.startsWith("when "));
  if (conditions.length === edge.labels.length && conditions.length) return conditions.map((one) => conditionInWords(one, target)).join(" ");
  const labels = edge.labels.map(labelInWords);
  const isOnly = count === 1 && labels.length < 2;
  if (target === "done") return isOnly ? words.words.alwaysEnds : words.words.ends(labels);
  if (target === "stopped") return words.words.stops(labels);
  return isOnly ? words.words.always(target) : words.words.leads(labels, target);
}

function conditionInWords(label: string, target: string): string {
  const place = target === "done" ? words.words.theEnd : target === "stopped" ? words.words.theStop : target;
  return label === "else" ? words.words.otherwise(place) : words.words.when(label.slice(5), place);
}

/** What follows if nothing comes until the deadline: from the routes of the step. */
function unanswered(graph: Graph | null, step: string): string {
  const edge = graph && edgesOf(graph, step).find((one) => one.labels.some((label) => label === NO_ANSWER || label.startsWith(`${NO_ANSWER} `)));
  if (!graph) return "";
  if (!edge) return words.wait.thenFails;
  const target = targetOf(edge);
  return target === "stopped" ? words.wait.thenStops : target === "done" ? words.wait.thenEnds : words.wait.thenGoes(target);
}

function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string" && one !== "") : [];
}

/** What a token of a run waits for, in words: "waits for AGREE or REJECT from a person until 26 Dec, then fails". */
export function waitInWords(token: TokenView, graph: Graph | null): string {
  const wait = token.waits_for;
  if (!wait) return "";
  const deadline = wait["until"] ?? token["deadline"];
  const until = typeof deadline === "string" ? moment(deadline) : "";
  const then = until ? unanswered(graph, token.step) : "";
  const name = (key: string): string => String(wait[key] ?? "");
  switch (wait.kind) {
    case "person":
    case "approval": {
      const states = texts(wait["states"]);
      if (states.length) return words.wait.person(states, until, then);
      break;
    }
    case "action":
      return words.wait.action(name("action"), until, then);
    case "event": {
      const events = texts(wait["events"]);
      const key = name("key") ? words.wait.ofKey(name("key")) : "";
      if (events.length) return words.wait.event(events, key, until, then);
      break;
    }
    case "timer":
      if (until) return words.wait.timer(until);
      break;
    case "child":
      return words.wait.child(name("child"), until, then);
    case "items":
      return words.wait.items(Number(wait["left"] ?? 0), until, then);
  }
  return words.wait.other([words.waits[wait.kind] ?? wait.kind, name("action") || name("event") || name("child")].filter(Boolean).join(" "), until, then);
}
