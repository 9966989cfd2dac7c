// The columns of a list of runs: what they show, and what they are in a file.
import type { JSX } from "preact";
import type { Json, RunSummary } from "../../api/types";
import { Status, When } from "../../ui/parts";
import { href } from "../../ui/router";
import { bytes, count, plain, span } from "../../ui/text";
import { words } from "../../words/en";

export interface Column {
  name: string;
  label: string;
  /** Its width as a track of a grid. */
  width: string;
  cell: (run: RunSummary) => JSX.Element | string;
  /** What it is in a file: times in RFC 3339, lengths in milliseconds. */
  text: (run: RunSummary) => string | number | null;
}

const SECOND = 1_000;

function tookOf(run: RunSummary): number {
  return (run.spec.ended_at ? Date.parse(run.spec.ended_at) : Date.now()) - Date.parse(run.spec.created_at);
}

/** The name of the error, and what it says, which may begin with the name. */
function errorOf(run: RunSummary): string {
  const name = run.spec.error?.name ?? "";
  return run.spec.last_err.startsWith(name) ? run.spec.last_err : `${name} ${run.spec.last_err}`;
}

function labelsOf(run: RunSummary): string {
  return Object.entries(run.metadata.labels)
    .map(([name, value]: [string, Json]) => `${name}:${String(value)}`)
    .join(" ");
}

export const COLUMNS: readonly Column[] = [
  {
    name: "name",
    label: words.name,
    width: "minmax(150px, 2fr)",
    cell: (run) => (
      <a class="name" tabIndex={-1} href={href(["runs", run.metadata.name])}>
        {plain(run.metadata.name)}
      </a>
    ),
    text: (run) => run.metadata.name,
  },
  {
    name: "flow",
    label: words.flow,
    width: "minmax(90px, 1fr)",
    cell: (run) =>
      run.spec.flow ? (
        <a tabIndex={-1} href={href(["flows", run.spec.flow])}>
          {plain(run.spec.flow)}
        </a>
      ) : (
        <span class="faint">{words.ownSteps}</span>
      ),
    text: (run) => run.spec.flow,
  },
  { name: "version", label: words.version, width: "70px", cell: (run) => String(run.spec.flow_version), text: (run) => run.spec.flow_version },
  { name: "status", label: words.status, width: "124px", cell: (run) => <Status status={run.spec.status} />, text: (run) => run.spec.status },
  { name: "at", label: words.at, width: "minmax(90px, 1fr)", cell: (run) => plain(run.spec.current_state), text: (run) => run.spec.current_state },
  { name: "begun", label: words.begun, width: "120px", cell: (run) => <When at={run.spec.created_at} />, text: (run) => run.spec.created_at },
  { name: "ended", label: words.ended, width: "120px", cell: (run) => <When at={run.spec.ended_at} />, text: (run) => run.spec.ended_at },
  { name: "took", label: words.took, width: "96px", cell: (run) => span(tookOf(run)), text: (run) => Math.round(tookOf(run) / SECOND) * SECOND },
  {
    name: "error",
    label: words.error,
    width: "minmax(140px, 2fr)",
    cell: (run) =>
      run.spec.error || run.spec.last_err ? (
        <span class="error" title={plain(run.spec.last_err)}>
          {plain(errorOf(run).slice(0, 120))}
        </span>
      ) : (
        ""
      ),
    text: (run) => run.spec.error?.name ?? run.spec.last_err,
  },
  { name: "labels", label: words.labels, width: "minmax(110px, 1fr)", cell: (run) => plain(labelsOf(run)), text: labelsOf },
  {
    name: "parent",
    label: words.parent,
    width: "minmax(110px, 1fr)",
    cell: (run) =>
      run.spec.parent ? (
        <a tabIndex={-1} href={href(["runs", run.spec.parent.run])}>
          {plain(run.spec.parent.run)}
        </a>
      ) : (
        ""
      ),
    text: (run) => run.spec.parent?.run ?? null,
  },
  { name: "due", label: words.due_, width: "120px", cell: (run) => <When at={run.spec.next_deadline} />, text: (run) => run.spec.next_deadline },
  { name: "moves", label: words.moves_, width: "84px", cell: (run) => count(run.spec.seq), text: (run) => run.spec.seq },
  { name: "writes", label: words.writes_, width: "84px", cell: (run) => count(run.spec.writes), text: (run) => run.spec.writes },
  { name: "data", label: words.data, width: "90px", cell: (run) => bytes(run.spec.sizes.global_variable), text: (run) => run.spec.sizes.global_variable },
];

const DEFAULT = ["name", "flow", "status", "at", "begun", "took", "error"];
const KEY = "echoer.columns";

/** The columns that the address names, else those that were chosen on this computer, else the usual ones. */
export function columnsOf(query: URLSearchParams): Column[] {
  const names = query.get("cols")?.split(",") ?? kept();
  const found = COLUMNS.filter((one) => one.name === "name" || names.includes(one.name));
  return found.length > 1 ? found : COLUMNS.filter((one) => DEFAULT.includes(one.name));
}

export function keepColumns(names: readonly string[]): void {
  localStorage.setItem(KEY, JSON.stringify(names));
}

function kept(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return Array.isArray(found) ? found.map(String) : DEFAULT;
  } catch {
    return DEFAULT;
  }
}
