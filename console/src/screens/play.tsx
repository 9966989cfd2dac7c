// Play a flow on a virtual clock: each delivery, person and event waits for a move; back is one move fewer.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { at, call } from "../api/client";
import { type Game, type Move, play, type Played, type Wait, withVisits } from "../api/play";
import type { Definition, Graph, Json, Parameter } from "../api/types";
import { Diagram, stepOf } from "../ui/diagram";
import { JsonView } from "../ui/json";
import { useLoad } from "../ui/load";
import { Copy, Problem, Skeleton, Status, useTitle } from "../ui/parts";
import { usePlace } from "../ui/router";
import { moment, plain } from "../ui/text";
import { words } from "../words/en";
import { inField } from "./frame";
import { AsTest } from "./play/as_test";
import { Differs } from "./play/differs";
import { analyze } from "./edit/analysis";
import { Input, textOfValue, valueOf } from "./start";

const END = "end";

export function PlayScreen({ flow }: { flow: string }): JSX.Element {
  useTitle(`${words.play} ${flow}`);
  return (
    <>
      <div class="title">
        <h1>
          {words.play} {plain(flow)}
        </h1>
      </div>
      <PlayPanel text="" flow={flow} />
    </>
  );
}

interface PanelProps {
  text: string;
  flow: string;
  /** A recorded run, whose facts are replayed against the text. */
  run?: string;
  show?: (step: string) => void;
}

/** The play of a flow of a text; of a stored flow if the text is empty. */
export function PlayPanel({ text, flow, run, show }: PanelProps): JSX.Element {
  const { query } = usePlace();
  const kept = decode(query.get("play"));
  const [input, setInput] = useState<Json | null>(run ? {} : (kept?.input ?? null));
  const [script, setScript] = useState<Move[]>(kept?.script ?? []);
  const [played, setPlayed] = useState<Played | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [data, setData] = useState("");
  const [event, setEvent] = useState({ name: "", key: "" });
  const [isTest, setIsTest] = useState(false);
  const graph = useLoad(
    `play graph ${flow} ${text}`,
    async (signal) =>
      text
        ? ((await call<{ graphs: Record<string, Graph> }>("POST", "/analyze", { body: { text, layout: true }, signal })).data.graphs[flow] ?? null)
        : (await call<Graph>("GET", `${at("flow", flow)}/graph`, { query: { layout: true }, signal })).data,
    0,
  );
  const game: Game = { text, flow, moves: script, ...(run ? { run } : { input: input ?? {} }) };
  const key = JSON.stringify(game);
  useEffect(() => {
    if (input === null) return;
    const control = new AbortController();
    const timer = setTimeout(() => {
      play(game, control.signal).then(
        (found) => {
          setPlayed(found);
          setError(null);
        },
        (problem: unknown) => {
          if (!control.signal.aborted) setError(problem as Error);
        },
      );
    }, 60);
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [key]);
  const move = (next: Move): void => {
    setScript([...script, next]);
    setData("");
  };
  const back = (): void => setScript(script.slice(0, -1));
  let value: Json = null;
  let invalid = false;
  try {
    value = data.trim() ? (JSON.parse(data) as Json) : null;
  } catch {
    invalid = true;
  }
  const answers = (played?.waits ?? []).filter((one) => one.states.length && (one.due || one.kind !== "action"));
  useEffect(() => {
    const listen = (pressed: KeyboardEvent): void => {
      if (inField(pressed.target) || pressed.ctrlKey || pressed.metaKey || input === null) return;
      const first = answers[0];
      const n = Number(pressed.key) - 1;
      if (pressed.key === "u") back();
      else if (pressed.key === " " && played?.next) {
        pressed.preventDefault();
        move({ clock: { next: true } });
      } else if (first && first.states[n]) move(answerOf(first, first.states[n], value));
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  });
  if (input === null)
    return (
      <First
        text={text}
        flow={flow}
        begin={(given) => {
          setInput(given);
          setScript([]);
        }}
      />
    );
  const link = `${location.href.split("?")[0]}?play=${encode({ input, script })}`;
  return (
    <div class="play">
      <div class="filters">
        {played ? <Status status={played.status} /> : null}
        {played ? <span class="faint">{moment(played.now)}</span> : null}
        <button type="button" disabled={!script.length} onClick={back} title="u">
          ↶ {words.back}
        </button>
        <button type="button" disabled={!played?.next} onClick={() => move({ clock: { next: true } })} title={words.space}>
          » {played?.next ? plain(played.next.what) || words.nextThing : words.nothingNext}
        </button>
        <button type="button" onClick={() => move({ auto: {} })}>
          {words.auto}
        </button>
        <RunUntil steps={(graph.data?.nodes ?? []).map(stepOf).filter(Boolean)} until={(step) => move({ auto: step ? { until: step, time: true } : { time: true } })} />
        <button type="button" onClick={() => (run ? setScript([]) : setInput(null))}>
          {words.restart}
        </button>
        <button type="button" disabled={!played} onClick={() => setIsTest(true)}>
          {words.asTest}
        </button>
        {run ? null : <Copy text={link} label={words.copyLink} />}
      </div>
      {isTest ? <AsTest game={game} name={flow} close={() => setIsTest(false)} /> : null}
      {run && played ? <Differs played={played} run={run} text={text} show={show} /> : null}
      {error ? <Problem error={error} /> : null}
      {played?.refused.length ? (
        <p class="problem" role="alert">
          {played.refused.map((one) => plain(one.why)).join("; ")}
          <button type="button" onClick={back}>
            {words.takeBack}
          </button>
        </p>
      ) : null}
      <div class={text ? "" : "columns"}>
      <div>
      {(played?.waits ?? []).map((one) => (
        <section class="wait" key={`${one.run} ${one.token} ${one.step}`} aria-label={one.step}>
          <h3>
            {plain(one.step)} <span class="faint">{one.token === "0" ? "" : one.token}</span>
          </h3>
          <p class="faint">
            {words.waits[one.kind] ?? one.kind} {plain(one.name)}
            {one.attempt > 1 ? ` · ${words.attempt(one.attempt)}` : ""}
            {one.deadline ? ` · ${words.until} ${moment(one.deadline)}` : ""}
          </p>
          {Object.keys(one.args).length ? <JsonView value={one.args} open={1} /> : null}
          {answers.includes(one) ? (
            <>
              <p class="actions">
                {one.states.map((state, n) => (
                  <button key={state} type="button" class={n === 0 ? "primary" : ""} disabled={invalid} onClick={() => move(answerOf(one, state, value))}>
                    {plain(state)} {one === answers[0] && n < 9 ? <kbd>{n + 1}</kbd> : null}
                  </button>
                ))}
                {one.due ? (
                  <>
                    <button type="button" onClick={() => move({ fail: { step: one.step, token: one.token, run: one.run, status: 503 } })}>
                      {words.fails503}
                    </button>
                    <button type="button" onClick={() => move({ fail: { step: one.step, token: one.token, run: one.run, status: 404 } })}>
                      {words.fails404}
                    </button>
                  </>
                ) : null}
              </p>
              <label>
                {words.dataJson}
                <textarea rows={2} spellcheck={false} value={data} onInput={(typed) => setData(typed.currentTarget.value)} />
              </label>
            </>
          ) : null}
          {one.kind === "event" ? (
            <p class="actions">
              <input aria-label={words.eventName} placeholder={one.name.split(", ")[0]} value={event.name} onInput={(typed) => setEvent({ ...event, name: typed.currentTarget.value })} />
              <input aria-label={words.key} placeholder={words.key} value={event.key} onInput={(typed) => setEvent({ ...event, key: typed.currentTarget.value })} />
              <button type="button" onClick={() => move({ event: { name: event.name || (one.name.split(", ")[0] ?? ""), key: event.key, data: value } })}>
                {words.publish}
              </button>
            </p>
          ) : null}
        </section>
      ))}
      {played && !played.waits.length ? (
        <section class="wait">
          <h3>{words.theEnd}</h3>
          {played.last_err ? <p class="error">{plain(played.last_err)}</p> : null}
          <JsonView value={played.output} />
        </section>
      ) : null}
      {played ? (
        <details open>
          <summary>{words.variables}</summary>
          <JsonView value={played.vars} />
        </details>
      ) : null}
      {played ? (
        <ol class="entries">
          {[...played.history].reverse().map((one) => (
            <li key={one.seq} class={one.error ? "failed" : ""}>
              <span class="entry">
                <span class="seq">{one.seq}</span>
                <span class="step">{plain(one.step || one.from)}</span>
                <span class="event">
                  {one.event} <strong>{plain(one.state)}</strong> {one.to ? `→ ${plain(one.to)}` : ""} <span class="error">{plain(one.error)}</span>
                </span>
              </span>
            </li>
          ))}
        </ol>
      ) : null}
      </div>
      {graph.data && played ? <Diagram graph={withVisits(graph.data, played)} /> : null}
      </div>
    </div>
  );
}

/** A breakpoint: everything is answered, and time passes, until the run waits at a step. */
function RunUntil({ steps, until }: { steps: string[]; until: (step: string) => void }): JSX.Element {
  return (
    <label class="inline" title={words.runUntilHelp}>
      {words.runUntil}{" "}
      <select
        value=""
        onChange={(event) => {
          const step = event.currentTarget.value;
          event.currentTarget.value = "";
          if (step) until(step === END ? "" : step.slice(1));
        }}
      >
        <option value=""> … </option>
        {steps.map((one) => (
          <option key={one} value={`=${one}`}>
            {plain(one)}
          </option>
        ))}
        <option value={END}>{words.theEndStep}</option>
      </select>
    </label>
  );
}

function answerOf(wait: Wait, state: string, data: Json): Move {
  return { answer: { step: wait.step, token: wait.token, run: wait.run, state, ...(data === null ? {} : { data }) } };
}

function encode(value: Json): string {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode(text: string | null): { input: Json; script: Move[] } | null {
  if (!text) return null;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as { input: Json; script: Move[] };
  } catch {
    return null;
  }
}

/** The form of the input, before the play begins. */
function First({ text, flow, begin }: { text: string; flow: string; begin: (input: Json) => void }): JSX.Element {
  const found = useLoad(
    `play input ${flow} ${text}`,
    async (signal) => {
      if (text) return declared(text, flow, signal);
      const input = (await call<Definition>("GET", at("flow", flow), { signal })).data.spec.input;
      return Array.isArray(input) ? input : [];
    },
    0,
  );
  const [texts, setTexts] = useState<Record<string, string>>({});
  const [whole, setWhole] = useState("{}");
  if (!found.data) return found.error ? <Problem error={found.error} /> : <Skeleton rows={3} />;
  const parameters = found.data;
  const isWhole = parameters.length === 1 && parameters[0]?.name === "";
  const input: Record<string, Json> = {};
  let problem = "";
  for (const one of isWhole ? [] : parameters) {
    const given = texts[one.name] ?? textOfValue(one.type, one.default);
    if (!given && !one.required) continue;
    try {
      input[one.name] = valueOf(one.type, given);
    } catch (reason) {
      problem = `${one.name}: ${(reason as Error).message}`;
    }
  }
  let value: Json = input;
  if (isWhole)
    try {
      value = JSON.parse(whole) as Json;
    } catch {
      problem = words.notJson;
    }
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        begin(value);
      }}
    >
      <p>{words.playHelp}</p>
      {isWhole ? (
        <label>
          {words.input}
          <textarea rows={6} spellcheck={false} value={whole} onInput={(event) => setWhole(event.currentTarget.value)} />
        </label>
      ) : (
        parameters.map((one) => (
          <label key={one.name}>
            <span>
              {plain(one.name)} <span class="faint">{one.type}</span>
            </span>
            <Input parameter={{ ...one, secret: false }} text={texts[one.name] ?? textOfValue(one.type, one.default)} set={(given) => setTexts({ ...texts, [one.name]: given })} />
          </label>
        ))
      )}
      {problem ? <p class="error">{problem}</p> : null}
      <p class="actions">
        <button type="submit" class="primary" disabled={Boolean(problem)}>
          {words.begin}
        </button>
      </p>
    </form>
  );
}

/** The inputs of a flow of a text; none while the text cannot be read. */
async function declared(text: string, flow: string, signal: AbortSignal): Promise<Parameter[]> {
  return (await analyze(text, { signal })).inputs[flow] ?? [];
}
