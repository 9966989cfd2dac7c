// Write flows: the text is the truth; beside it the diagram, the problems, and what saving would change.
import { lazy, Suspense } from "preact/compat";
import type { JSX } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, at, call, type Diagnostic } from "../api/client";
import { session } from "../api/session";
import type { Definition, Graph } from "../api/types";
import { Diagram } from "../ui/diagram";
import { may, me } from "../ui/me";
import { Dialog, Problem, Skeleton, useTitle } from "../ui/parts";
import { go, usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";
import type { EditorHandle, Offer } from "./editor";
import { EXAMPLES } from "./examples";
import { PlayPanel } from "./play";
import { textOf } from "./run/flow_text";

const Editor = lazy(() => import("./editor"));

export interface Analysis {
  diagnostics: Diagnostic[];
  statements: { kind: string; name: string; span: [number, number]; change: "created" | "updated" | "unchanged" | null }[];
  steps: { flow: string; name: string; kind: string; span: [number, number]; name_span: [number, number]; line: number }[];
  graphs: Record<string, Graph>;
  fixes: { diagnostic: number; title: string; span: [number, number]; insert: string }[];
  formatted: string | null;
  offers: Offer[];
  hover: { markdown: string; span: [number, number] } | null;
}

const WAIT_MS = 250;
const SLOW_CHARACTERS = 200_000;

/** Where the draft of a document is kept: by server, namespace and document. */
function draftKey(name: string): string {
  return `echoer.draft ${document.baseURI} ${session.value.namespace || me.value?.namespace || ""} ${name}`;
}

export function Edit(): JSX.Element {
  const { query } = usePlace();
  const flow = query.get("flow");
  const action = query.get("action");
  const example = query.get("example");
  const name = flow ?? action ?? example ?? "";
  const [begun, setBegun] = useState<{ name: string; stored: string; text: string } | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useTitle(name ? `${words.edit} ${name}` : words.edit);
  useEffect(() => {
    setBegun(null);
    setError(null);
    const load = async (): Promise<void> => {
      let stored = "";
      if (flow) stored = await withActions(flow);
      else if (action) stored = textOf((await call<Definition>("GET", at("action", action))).data);
      const draft = localStorage.getItem(draftKey(name));
      setBegun({ name, stored, text: draft ?? (stored || (EXAMPLES[example ?? "approval"] ?? "")) });
    };
    load().catch((problem: unknown) => setError(problem as Error));
  }, [name]);
  if (error) return <Problem error={error} />;
  if (!begun || begun.name !== name) return <Skeleton />;
  return <Desk key={name} name={name} stored={begun.stored} first={begun.text} />;
}

/** The text of a flow. */
async function withActions(flow: string): Promise<string> {
  return textOf((await call<Definition>("GET", at("flow", flow))).data);
}

function Desk({ name, stored, first }: { name: string; stored: string; first: string }): JSX.Element {
  const [text, setText] = useState(first);
  const [analysis, setAnalysis] = useState<Analysis | null>(null);
  const [graphs, setGraphs] = useState<Record<string, Graph>>({});
  const [shownFlow, setShownFlow] = useState("");
  const [step, setStep] = useState<string | null>(null);
  const replayed = usePlace().query.get("run");
  const [pane, setPane] = useState<"diagram" | "play">(replayed ? "play" : "diagram");
  const [review, setReview] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const [otherTab, setOtherTab] = useState(false);
  const editor = useRef<EditorHandle | null>(null);
  const problem = useRef(0);
  useEffect(() => {
    const key = draftKey(name);
    if (text === stored) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  }, [text]);
  useEffect(() => {
    const channel = new BroadcastChannel(draftKey(name));
    channel.onmessage = (event: MessageEvent<string>) => {
      setOtherTab(true);
      if (event.data === "here?") channel.postMessage("here");
    };
    channel.postMessage("here?");
    return () => channel.close();
  }, [name]);
  useEffect(() => {
    const control = new AbortController();
    const timer = setTimeout(
      () => {
        call<Analysis>("POST", "/analyze", { body: { text, layout: true }, signal: control.signal }).then(
          (found) => {
            setError(null);
            setAnalysis(found.data);
            setGraphs((old) => ({ ...old, ...found.data.graphs }));
            editor.current?.report(found.data.diagnostics);
          },
          (reason: unknown) => {
            if (!control.signal.aborted) setError(reason as Error);
          },
        );
      },
      text.length > SLOW_CHARACTERS ? 1000 : WAIT_MS,
    );
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [text]);
  const ask = useCallback(async (given: string, line: number, column: number): Promise<Analysis> => (await call<Analysis>("POST", "/analyze", { body: { text: given, at: { line, column } } })).data, []);
  const flows = (analysis?.statements ?? []).filter((one) => one.kind === "flow").map((one) => one.name);
  const flow = flows.includes(shownFlow) ? shownFlow : (flows[0] ?? Object.keys(graphs)[0] ?? "");
  const graph = graphs[flow];
  const errors = analysis?.diagnostics.filter((one) => one.severity === "error") ?? [];
  const warnings = analysis?.diagnostics.filter((one) => one.severity === "warning") ?? [];
  const changes = analysis?.statements.filter((one) => one.change && one.change !== "unchanged") ?? [];
  const format = (): void => {
    if (analysis?.formatted && analysis.formatted !== editor.current?.text()) editor.current?.replace(analysis.formatted);
  };
  const nextProblem = (): void => {
    const all = analysis?.diagnostics ?? [];
    const one = all[problem.current % Math.max(1, all.length)];
    problem.current += 1;
    if (one) editor.current?.show(offsetOf(text, one.line, one.column));
  };
  const moved = (offset: number): void => {
    const here = analysis?.steps.find((one) => one.span[0] <= offset && offset <= one.span[1]);
    setStep(here?.name ?? null);
    if (here) setShownFlow(here.flow);
  };
  const open = (selected: string): void => {
    const found = analysis?.steps.find((one) => one.name === selected && one.flow === flow);
    if (found) editor.current?.show(found.name_span[0], found.name_span[1]);
  };
  return (
    <>
      <div class="title">
        <h1>
          {name ? plain(name) : words.newText}
          {text === stored ? "" : " *"}
        </h1>
        <span class="faint" aria-live="polite">
          {words.problems(errors.length, warnings.length)}
        </span>
        <span class="actions">
          <button type="button" onClick={nextProblem} disabled={!analysis?.diagnostics.length} title="F8">
            {words.nextProblem}
          </button>
          <button type="button" onClick={format} disabled={!analysis?.formatted}>
            {words.format}
          </button>
          <button type="button" aria-pressed={pane === "play"} onClick={() => setPane(pane === "play" ? "diagram" : "play")} disabled={!flow}>
            {pane === "play" ? words.diagram : words.play}
          </button>
          <button type="button" class="primary" disabled={!changes.length || errors.length > 0 || !may("POST /fsl")} title={may("POST /fsl") ? "Ctrl S" : words.needsRole("POST /fsl")} onClick={() => setReview(true)}>
            {words.review}
            {changes.length ? ` (${changes.length})` : ""}
          </button>
        </span>
      </div>
      {otherTab ? <p class="banner">{words.otherTab}</p> : null}
      {error ? <Problem error={error} /> : null}
      <div class="columns edit">
        <section aria-label={words.text}>
          <Suspense fallback={<Skeleton rows={12} />}>
            <Editor
              text={first}
              label={words.editorLabel}
              handle={(handle) => {
                editor.current = handle;
              }}
              changed={setText}
              moved={moved}
              keys={{ "Mod-s": () => setReview(true), "Mod-Enter": () => setPane("play"), F8: nextProblem }}
              complete={async (given, line, column) => (await ask(given, line, column)).offers}
              hover={async (given, line, column) => (await ask(given, line, column)).hover}
            />
          </Suspense>
          <ul class="problems" aria-label={words.problemList}>
            {(analysis?.diagnostics ?? []).slice(0, 50).map((one, n) => (
              <li key={n} class={one.severity}>
                <button type="button" class="quiet" onClick={() => editor.current?.show(offsetOf(text, one.line, one.column), offsetOf(text, one.end_line, one.end_column))}>
                  {one.line}:{one.column} {plain(one.message)} <code>{one.code}</code>
                </button>
                {(analysis?.fixes ?? [])
                  .filter((fix) => fix.diagnostic === n)
                  .map((fix) => (
                    <button key={fix.title} type="button" onClick={() => editor.current?.change([{ from: fix.span[0], to: fix.span[1], insert: fix.insert }])}>
                      {fix.title}
                    </button>
                  ))}
              </li>
            ))}
          </ul>
        </section>
        <section aria-label={pane === "play" ? words.play : words.diagram}>
          {flows.length > 1 ? (
            <select aria-label={words.flow} value={flow} onChange={(event) => setShownFlow(event.currentTarget.value)}>
              {flows.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          ) : null}
          {pane === "play" && flow ? (
            <PlayPanel text={text} flow={flow} {...(replayed ? { run: replayed } : {})} show={open} />
          ) : graph ? (
            <>
              {analysis && !analysis.graphs[flow] ? <p class="banner">{words.oldDiagram(errors[0]?.line ?? 0)}</p> : null}
              <Diagram graph={graph} selected={step} select={open} dimmed={Boolean(analysis && !analysis.graphs[flow])} />
            </>
          ) : (
            <p class="faint">{words.noFlowYet}</p>
          )}
        </section>
      </div>
      {review && analysis ? (
        <Review
          text={text}
          changes={changes}
          warnings={warnings}
          close={(saved) => {
            setReview(false);
            if (saved) {
              localStorage.removeItem(draftKey(name));
              const first_ = changes.find((one) => one.kind === "flow");
              if (first_) go(["flows", first_.name]);
              else go(["flows"], { kind: "action" });
            }
          }}
        />
      ) : null}
    </>
  );
}

export function offsetOf(text: string, line: number, column: number): number {
  let offset = 0;
  for (let n = 1; n < line; n += 1) {
    const next = text.indexOf("\n", offset);
    if (next < 0) return text.length;
    offset = next + 1;
  }
  return Math.min(text.length, offset + column - 1);
}

/** What saving changes; the only way to save. A definition that somebody changed in the meantime is not overwritten. */
function Review(props: { text: string; changes: Analysis["statements"]; warnings: Diagnostic[]; close: (saved: boolean) => void }): JSX.Element {
  const [stored, setStored] = useState<Record<string, { version: number; text: string }> | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const read = (): void => {
    setError(null);
    const kinds = ["flow", "action"];
    Promise.all(
      props.changes
        .filter((one) => one.change === "updated" && kinds.includes(one.kind))
        .map(async (one) => {
          const found = (await call<Definition>("GET", at(one.kind, one.name))).data;
          return [`${one.kind}:${one.name}`, { version: found.metadata.version, text: textOf(found) }] as const;
        }),
    ).then(
      (found) => setStored(Object.fromEntries(found)),
      (problem: unknown) => setError(problem as Error),
    );
  };
  useEffect(read, []);
  const apply = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const expect = Object.entries(stored ?? {}).map(([name, one]) => `${name}@${one.version}`);
      await call("POST", "/fsl", { text: props.text, query: { expect } });
      props.close(true);
    } catch (problem) {
      setError(problem as Error);
      setBusy(false);
    }
  };
  const stale = error instanceof ApiError && error.code === "changed";
  return (
    <Dialog title={words.review} close={() => props.close(false)} wide>
      <ul>
        {props.changes.map((one) => (
          <li key={`${one.kind}${one.name}`}>
            <strong>
              {one.kind} {plain(one.name)}
            </strong>{" "}
            {one.change}
            {stored?.[`${one.kind}:${one.name}`] ? <Changed old={stored[`${one.kind}:${one.name}`]?.text ?? ""} now={props.text.slice(one.span[0], one.span[1])} /> : null}
          </li>
        ))}
      </ul>
      <p class="faint">{words.keepVersion}</p>
      {props.warnings.length ? <p>{words.problems(0, props.warnings.length)}</p> : null}
      {error ? <Problem error={error} {...(stale ? { retry: read } : {})} /> : null}
      <p class="actions">
        <button type="button" onClick={() => props.close(false)}>
          {words.cancel}
        </button>
        <button type="button" class="primary" disabled={busy || !stored} onClick={() => void apply()}>
          {words.apply}
        </button>
      </p>
    </Dialog>
  );
}

function Changed({ old, now }: { old: string; now: string }): JSX.Element {
  return (
    <pre class="source diff">
      {differences(old.split("\n"), now.split("\n")).map(([sign, line], n) => (
        <div key={n} class={sign === "+" ? "added" : sign === "-" ? "removed" : ""}>
          {sign} {plain(line)}
        </div>
      ))}
    </pre>
  );
}

/** The lines of two texts: common ones, removed ones and added ones, with two common lines around each change. */
export function differences(old: readonly string[], now: readonly string[]): [string, string][] {
  if (old.length * now.length > 4_000_000) return [...old.map((one): [string, string] => ["-", one]), ...now.map((one): [string, string] => ["+", one])];
  const lengths = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let a = old.length - 1; a >= 0; a -= 1)
    for (let b = now.length - 1; b >= 0; b -= 1) {
      const row = lengths[a] as Uint16Array;
      row[b] = old[a] === now[b] ? (lengths[a + 1]?.[b + 1] ?? 0) + 1 : Math.max(lengths[a + 1]?.[b] ?? 0, row[b + 1] ?? 0);
    }
  const all: [string, string][] = [];
  let [a, b] = [0, 0];
  while (a < old.length || b < now.length) {
    if (a < old.length && b < now.length && old[a] === now[b]) {
      all.push([" ", old[a] as string]);
      a += 1;
      b += 1;
    } else if (b >= now.length || (a < old.length && (lengths[a + 1]?.[b] ?? 0) >= (lengths[a]?.[b + 1] ?? 0))) {
      all.push(["-", old[a] as string]);
      a += 1;
    } else {
      all.push(["+", now[b] as string]);
      b += 1;
    }
  }
  return all.filter((_, n) => all.slice(Math.max(0, n - 2), n + 3).some(([sign]) => sign !== " "));
}
