// Write flows: the text is the truth; beside it the diagram, the problems, and what saving would change.
import { lazy, Suspense } from "preact/compat";
import type { JSX } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { at, call } from "../../api/client";
import type { Definition } from "../../api/types";
import { Diagram, leadsAlong } from "../../ui/diagram";
import { may } from "../../ui/me";
import { Problem, Skeleton, useTitle } from "../../ui/parts";
import { go, usePlace } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { PlayPanel } from "../play";
import { ImportMachine } from "./import_machine";
import { textOf } from "../run/flow_text";
import { analyze, edited, renamed, type Analysis, type EditableStep, type Operation, type Symbol } from "./analysis";
import { draftKey, dropDraft, guarded, keepDraft, newest, readDraft, type Base, type Bases } from "./draft";
import type { EditorHandle } from "./editor";
import { EXAMPLES } from "./examples";
import { Rename } from "./rename";
import { Review } from "./review";
import { StepPanel } from "./step_panel";
import { Problems } from "./problems";
import { offsetOf } from "./units";
import { useAnalysis } from "./use_analysis";

const Editor = lazy(() => import("./editor"));

interface Begun {
  name: string;
  stored: string;
  text: string;
  bases: Bases;
}

export function Edit(): JSX.Element {
  const { query } = usePlace();
  const flow = query.get("flow");
  const action = query.get("action");
  const example = query.get("example");
  const name = flow ?? action ?? example ?? "";
  const [begun, setBegun] = useState<Begun | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useTitle(name ? `${words.edit} ${name}` : words.edit);
  useEffect(() => {
    setBegun(null);
    setError(null);
    const load = async (): Promise<void> => {
      const key = flow ? `flow:${flow}` : action ? `action:${action}` : "";
      const found = key ? (await call<Definition>("GET", flow ? at("flow", flow) : at("action", action ?? ""))).data : null;
      const stored = found ? textOf(found) : "";
      const bases: Bases = found ? { [key]: { version: found.metadata.version, text: stored } } : {};
      const draft = readDraft(name);
      setBegun({ name, stored, text: draft?.text ?? (stored || (EXAMPLES[example ?? "approval"] ?? "")), bases: { ...bases, ...draft?.bases } });
    };
    load().catch((problem: unknown) => setError(problem as Error));
  }, [name]);
  if (error) return <Problem error={error} />;
  if (!begun || begun.name !== name) return <Skeleton />;
  return <Desk key={name} begun={begun} />;
}

/** The step at an offset, as the last analysis has it. */
function stepAround(analysis: Analysis | null, offset: number): Analysis["steps"][number] | null {
  const around = (analysis?.steps ?? []).filter((one) => one.span[0] <= offset && offset <= one.span[1] && one.kind !== "branch");
  return around.sort((a, b) => a.span[1] - a.span[0] - (b.span[1] - b.span[0]))[0] ?? null;
}

function Desk({ begun }: { begun: Begun }): JSX.Element {
  const { name, stored, text: first } = begun;
  const [text, setText] = useState(first);
  const [bases, setBases] = useState<Bases>(begun.bases);
  const [shownFlow, setShownFlow] = useState("");
  const [step, setStep] = useState<string | null>(null);
  const [form, setForm] = useState(false);
  const [outline, setOutline] = useState<EditableStep | null>(null);
  const [focus, setFocus] = useState<{ on: "name" | "add" | ""; at: number }>({ on: "", at: 0 });
  const [refused, setRefused] = useState("");
  const replayed = usePlace().query.get("run");
  const [pane, setPane] = useState<"diagram" | "play">(replayed ? "play" : "diagram");
  const [review, setReview] = useState(false);
  const [symbol, setSymbol] = useState<{ symbol: Symbol; at: number } | null>(null);
  const [note, setNote] = useState("");
  const [otherTab, setOtherTab] = useState(false);
  const [drawLarge, setDrawLarge] = useState(false);
  const editor = useRef<EditorHandle | null>(null);
  const problem = useRef(0);
  useEffect(() => {
    if (text === stored) dropDraft(name);
    else keepDraft(name, { text, bases });
  }, [text, bases]);
  useEffect(() => {
    const channel = new BroadcastChannel(draftKey(name));
    channel.onmessage = (event: MessageEvent<string>) => {
      setOtherTab(true);
      if (event.data === "here?") channel.postMessage("here");
    };
    channel.postMessage("here?");
    return () => channel.close();
  }, [name]);
  const { analysis, graphs, error, isLarge, stepCount, quickly } = useAnalysis(text, { drawLarge, found: (found) => (editor.current?.report(found.diagnostics), learn(found)) });
  /** Remember from which versions the definitions of the text began. */
  const learn = async (found: Analysis): Promise<void> => {
    const unknown = guarded(found.statements).filter((one) => !bases[one.key]);
    if (!unknown.length) return;
    const none: Base = { version: 0, text: "" };
    const learned = await Promise.all(unknown.map(async (one) => [one.key, one.change === "created" ? none : await newest(one.key)] as const));
    setBases((old) => ({ ...Object.fromEntries(learned), ...old }));
  };
  const flows = (analysis?.statements ?? []).filter((one) => one.kind === "flow").map((one) => one.name);
  const flow = flows.includes(shownFlow) ? shownFlow : (flows[0] ?? Object.keys(graphs)[0] ?? "");
  const graph = graphs[flow];
  const isFresh = analysis?.text === text;
  const located = analysis?.steps.find((one) => one.name === step && one.flow === flow);
  useEffect(() => {
    if (!form || !isFresh || !located) return;
    const control = new AbortController();
    analyze(text, { at: located.name_span[0], signal: control.signal }).then(
      (found) => setOutline(found.step),
      () => undefined,
    );
    return () => control.abort();
  }, [analysis, form, step, flow]);
  const errors = analysis?.diagnostics.filter((one) => one.severity === "error") ?? [];
  const warnings = analysis?.diagnostics.filter((one) => one.severity === "warning") ?? [];
  const changes = analysis?.statements.filter((one) => one.change && one.change !== "unchanged") ?? [];
  const statement = analysis?.statements.find((one) => one.kind === "flow" && one.name === flow);
  const unreadable = errors.filter((one) => one.code.startsWith("FSL1") && one.code !== "FSL116");
  const hinder = statement ? unreadable.find((one) => inside(statement.span, offsetOf(text, one.line, one.column))) : unreadable[0];
  const shown = form && step && outline && (located || !isFresh || hinder) ? outline : null;
  const format = (): void => {
    if (analysis?.formatted && isFresh && analysis.formatted !== editor.current?.text()) editor.current?.replace(analysis.formatted);
  };
  const nextProblem = (): void => {
    const all = analysis?.diagnostics ?? [];
    const one = all[problem.current % Math.max(1, all.length)];
    problem.current += 1;
    if (one) editor.current?.show(offsetOf(text, one.line, one.column));
  };
  const save = (): void => {
    if (errors.length) nextProblem();
    else if (isFresh && changes.length && may("POST /fsl")) setReview(true);
  };
  const moved = (offset: number): void => {
    const here = stepAround(analysis, offset);
    setStep(here?.name ?? null);
    if (here) setShownFlow(here.flow);
  };
  /** Show a step in the text and in the form. */
  const open = (selected: string, takesFocus = false): void => {
    const found = analysis?.steps.find((one) => one.name === selected && one.flow === flow);
    if (!found) return;
    editor.current?.show(found.name_span[0], found.name_span[1], takesFocus);
    setStep(selected);
    setRefused("");
  };
  const select = (selected: string): void => {
    open(selected);
    setForm(true);
  };
  const focusOn = (on: "name" | "add"): void => {
    setForm(true);
    setFocus((old) => ({ on, at: old.at + 1 }));
  };
  const change = async (operations: Operation[], selected?: string | null): Promise<boolean> => {
    const given = editor.current?.text() ?? text;
    setRefused("");
    try {
      const edits = await edited(given, flow, operations);
      if (editor.current?.text() !== given) throw new Error(words.textChanged);
      quickly();
      editor.current?.change(edits);
      if (selected !== undefined) {
        setStep(selected);
        if (selected === null) setForm(false);
      }
      return true;
    } catch (reason) {
      setRefused((reason as Error).message.replace(/^do\[\d+\]: /, ""));
      return false;
    }
  };
  const ask = useCallback((given: string, offset: number): Promise<Analysis> => analyze(given, { at: offset }), []);
  const named = async (): Promise<{ symbol: Symbol; at: number } | null> => {
    const [given, offset] = [editor.current?.text() ?? "", editor.current?.caret() ?? 0];
    const found = (await ask(given, offset)).symbol;
    setNote(found ? "" : words.nothingToRename);
    return found && { symbol: found, at: offset };
  };
  const noted = (problem: Error): void => setNote(problem.message);
  const rename = (): void => void named().then(setSymbol, noted);
  const define = (): void => {
    void named().then((found) => {
      if (!found) return;
      const { kind, name: defined, definition } = found.symbol;
      if (definition) editor.current?.show(definition[0], definition[1]);
      else if (kind === "flow" || kind === "action") go(["edit"], { [kind]: defined });
      else setNote(words.noDefinition(defined));
    }, noted);
  };
  const along = (key: string): void => {
    const next = graph && step ? leadsAlong(graph, `step:${step}`, key) : undefined;
    if (next?.startsWith("step:")) open(next.slice("step:".length), true);
  };
  const keys: Record<string, () => void> = {
    "Mod-s": save,
    "Mod-Enter": () => setPane("play"),
    F8: nextProblem,
    F2: rename,
    F12: define,
    "Alt-ArrowDown": () => along("ArrowDown"),
    "Alt-ArrowUp": () => along("ArrowUp"),
    "Alt-ArrowLeft": () => along("ArrowLeft"),
    "Alt-ArrowRight": () => along("ArrowRight"),
  };
  /** The same keys beside the text. */
  const pressed = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || symbol || review) return;
    const key = `${event.ctrlKey || event.metaKey ? "Mod-" : ""}${event.key}`;
    if (!["Mod-s", "Mod-Enter", "F8"].includes(key)) return;
    event.preventDefault();
    keys[key]?.();
  };
  const line = errors[0]?.line ?? 0;
  return (
    <div class="desk" onKeyDown={pressed}>
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
          <button type="button" aria-pressed={pane === "play"} title="Ctrl Enter" onClick={() => setPane(pane === "play" ? "diagram" : "play")} disabled={!flow}>
            {pane === "play" ? words.diagram : words.play}
          </button>
          <button type="button" class="primary" disabled={!changes.length || errors.length > 0 || !isFresh || !may("POST /fsl")} title={may("POST /fsl") ? "Ctrl S" : words.needsRole("POST /fsl")} onClick={() => setReview(true)}>
            {words.review}
            {changes.length ? ` (${changes.length})` : ""}
          </button>
        </span>
      </div>
      {otherTab ? <p class="banner">{words.otherTab}</p> : null}
      {error ? <Problem error={error} /> : null}
      <p class={note ? "faint" : "visually-hidden"} role="status">
        {note}
      </p>
      <div class="columns edit">
        <section aria-label={words.text}>
          <ImportMachine put={(imported) => editor.current?.replace(imported)} />
          <Suspense fallback={<Skeleton rows={12} />}>
            <Editor
              text={first}
              label={words.editorLabel}
              handle={(handle) => {
                editor.current = handle;
              }}
              changed={setText}
              moved={moved}
              keys={keys}
              complete={async (given, offset) => (await ask(given, offset)).offers}
              hover={async (given, offset) => (await ask(given, offset)).hover}
            />
          </Suspense>
          <Problems analysis={analysis} isFresh={isFresh} show={(from, to) => editor.current?.show(from, to)} fix={(edit) => editor.current?.change([edit])} />
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
            <div class={shown ? "with-form" : ""}>
              {analysis && !analysis.graphs[flow] ? <p class="banner">{words.oldDiagram(line)}</p> : null}
              {isLarge && !drawLarge ? (
                <p>
                  <button type="button" onClick={() => setDrawLarge(true)}>
                    {words.draw}
                  </button>{" "}
                  <span class="faint">{words.largeFlow(stepCount)}</span>
                </p>
              ) : null}
              <Diagram
                graph={graph}
                selected={step}
                select={select}
                dimmed={Boolean(analysis && !analysis.graphs[flow])}
                add={(one) => (select(one), focusOn("add"))}
                keys={{ F2: (one) => (select(one), focusOn("name")), "+": (one) => (select(one), focusOn("add")), Delete: (one) => void change([{ op: "delete", step: one, heal: true }], null) }}
              />
              {shown ? (
                <StepPanel
                  step={shown}
                  change={change}
                  refused={refused}
                  hindered={hinder?.line ?? 0}
                  toLine={() => hinder && editor.current?.show(offsetOf(text, hinder.line, hinder.column))}
                  close={() => setForm(false)}
                  focus={focus}
                />
              ) : refused ? (
                <p class="error" role="alert">
                  {plain(refused)}
                </p>
              ) : form ? null : (
                <p class="faint">{words.selectStep}</p>
              )}
            </div>
          ) : (
            <p class="faint">{words.noFlowYet}</p>
          )}
        </section>
      </div>
      {symbol ? (
        <Rename
          symbol={symbol.symbol}
          close={() => setSymbol(null)}
          rename={async (to) => {
            const given = editor.current?.text() ?? "";
            const edits = await renamed(given, symbol.at, to);
            quickly();
            editor.current?.change(edits);
          }}
        />
      ) : null}
      {review && analysis ? (
        <Review
          analysis={analysis}
          isFresh={isFresh}
          bases={bases}
          warnings={warnings}
          rebase={(key, base) => setBases((old) => ({ ...old, [key]: base }))}
          replace={(span, given) => {
            quickly();
            editor.current?.change([{ from: span[0], to: span[1], insert: given }]);
          }}
          close={(saved) => {
            setReview(false);
            if (saved) {
              dropDraft(name);
              const first_ = changes.find((one) => one.kind === "flow");
              if (first_) go(["flows", first_.name]);
              else go(["flows"], { kind: "action" });
            }
          }}
        />
      ) : null}
    </div>
  );
}

function inside(span: [number, number], offset: number): boolean {
  return span[0] <= offset && offset <= span[1];
}
