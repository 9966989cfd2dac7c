// A value of a run, of any size: the server returns the part that is looked at.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { at, bytesOf, call, type Query } from "../api/client";
import type { Json } from "../api/types";
import { words } from "../words/en";
import { Leaf } from "./json";
import { useLoad } from "./load";
import { Problem, Skeleton } from "./parts";
import { save } from "./save";
import { bytes, count, plain } from "./text";

interface Window {
  type: string;
  length: number | null;
  bytes: number;
  value: Json;
  cut: { path: string; type: string; bytes: number }[];
  next: number | null;
}

export interface Source {
  run: string;
  of: "input" | "vars" | "output" | "entry";
  seq?: number;
}

const CHILDREN = 100;
/** So few values are shown with what is in them. */
const FEW = 3;

/** Show the value at `path` (a JSON pointer) of a source, with what is below it on demand; again when `turn` changes. */
export function RemoteValue({ source, path = "", label, turn = 0 }: { source: Source; path?: string; label: string; turn?: number }): JSX.Element {
  const [from, setFrom] = useState(0);
  const place: Query = { of: source.of, seq: source.seq, path };
  const found = useLoad(
    `value ${JSON.stringify([source, path, from])}`,
    (signal) => call<Window>("GET", `${at("flowrun", source.run)}/value`, { query: { ...place, depth: 2, from, count: CHILDREN }, signal }),
    0,
  );
  const [problem, setProblem] = useState<Error | null>(null);
  const shown = useRef(turn);
  useEffect(() => {
    if (shown.current !== turn) found.reload();
    shown.current = turn;
  }, [turn]);
  const window = found.data?.data;
  const saveAll = (): void => {
    bytesOf(`${at("flowrun", source.run)}/value`, { ...place, raw: true }).then(
      (blob) => save(`${source.run}-${source.of}${path.replaceAll("/", "-")}.json`, [blob]),
      (error: unknown) => setProblem(error as Error),
    );
  };
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!window) return <Skeleton rows={2} />;
  return (
    <div class="json" role="group" aria-label={label}>
      <div class="json-head">
        <span class="faint">
          {window.type}
          {window.length === null ? "" : ` · ${count(window.length)}`} · {bytes(window.bytes)}
        </span>
        {window.length !== null && window.length > CHILDREN && window.type !== "str" ? <Pager from={from} length={window.length} next={window.next} go={setFrom} label={label} /> : null}
        <button type="button" class="quiet" onClick={saveAll} aria-label={words.saveWhole(label)}>
          {words.save}
        </button>
      </div>
      {problem ? <Problem error={problem} /> : null}
      <Part value={window.value} path="" window={window} source={source} base={path} first={window.type === "list" ? from : 0} open />
    </div>
  );
}

function Pager(props: { from: number; length: number; next: number | null; go: (from: number) => void; label: string }): JSX.Element {
  const last = (props.next ?? props.length) - 1;
  return (
    <span class="pager">
      <button type="button" class="quiet" disabled={props.from === 0} aria-label={words.earlierOf(props.label)} onClick={() => props.go(Math.max(0, props.from - CHILDREN))}>
        ‹
      </button>
      <input
        inputMode="numeric"
        size={6}
        aria-label={words.indexOf(props.label)}
        value={String(props.from)}
        onChange={(event) => props.go(Math.min(props.length - 1, Math.max(0, Math.floor(Number(event.currentTarget.value)) || 0)))}
      />
      <span class="faint">–{count(last)}</span>
      <button type="button" class="quiet" disabled={props.next === null} aria-label={words.laterOf(props.label)} onClick={() => props.next !== null && props.go(props.next)}>
        ›
      </button>
    </span>
  );
}

interface PartProps {
  value: Json;
  /** The place below the window, and that of the window in the source. */
  path: string;
  base: string;
  window: Window;
  source: Source;
  first: number;
  open: boolean;
}

function Part({ value, path, base, window, source, first, open }: PartProps): JSX.Element {
  const cut = path ? window.cut.find((one) => one.path === path) : undefined;
  const [shown, setShown] = useState(open);
  const [whole, setWhole] = useState(false);
  const name = `${base}${path}`;
  if (cut && whole) return <RemoteValue source={source} path={name} label={name} />;
  const opener = cut ? (
    <button type="button" class="quiet cut" onClick={() => setWhole(true)} aria-label={words.openPart(name, words.openOf(cut.type, bytes(cut.bytes)))}>
      {words.openOf(cut.type, bytes(cut.bytes))}
    </button>
  ) : null;
  if (value === null || typeof value !== "object")
    return (
      <>
        <Leaf value={value} /> {opener}
      </>
    );
  const list = Array.isArray(value);
  const entries = list ? value.map((one, n) => [String(first + n), one] as const) : Object.entries(value);
  if (!entries.length) return opener ?? <span class="faint">{list ? "[]" : "{}"}</span>;
  const children = (
    <ul class={list ? "list" : "map"}>
      {entries.map(([key, one]) => (
        <li key={key}>
          <span class="key">{plain(key)}</span> <Part value={one} path={`${path}/${escaped(key)}`} base={base} window={window} source={source} first={0} open={!path && entries.length <= FEW} />
        </li>
      ))}
    </ul>
  );
  if (!path) return children;
  return (
    <>
      <button type="button" class="fold" aria-expanded={shown} onClick={() => setShown(!shown)}>
        <span aria-hidden="true">{shown ? "▾" : "▸"}</span> <span class="faint">{list ? `[${entries.length}]` : `{${entries.length}}`}</span>
      </button>{" "}
      {opener}
      {shown ? children : null}
    </>
  );
}

/** A name as a part of a JSON pointer (RFC 6901). */
function escaped(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
