// Start a run: a form from the declared inputs of the flow.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, at, call, curlOf, quoted } from "../api/client";
import type { Json, Parameter, Run } from "../api/types";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Copy, Problem, Skeleton, useTitle } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";

interface FlowAnswer {
  metadata: { name: string; version: number };
  spec: { input?: Parameter[] | { type: string } | null };
}

const JSON_TYPES = ["any", "map", "list"];

/** The value that a field holds. Throws if it is none of that type. */
export function valueOf(type: string, text: string): Json {
  switch (type) {
    case "str":
      return text;
    case "int":
      if (!/^[+-]?\d+$/.test(text.trim())) throw new Error(words.notInt);
      return Number(text);
    case "float":
      if (!text.trim() || Number.isNaN(Number(text))) throw new Error(words.notNumber);
      return Number(text);
    case "bool":
      return text === "true";
    default:
      return jsonOf(type, text);
  }
}

function jsonOf(type: string, text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw new Error(words.notJson);
  }
  if (type === "list" && !Array.isArray(value)) throw new Error(words.notAList);
  if (type === "map" && (value === null || typeof value !== "object" || Array.isArray(value))) throw new Error(words.notAMap);
  return value;
}

export function textOfValue(type: string, value: Json | undefined): string {
  if (value === undefined || value === null) return type === "bool" ? "false" : "";
  if (JSON_TYPES.includes(type)) return JSON.stringify(value, null, 2);
  return type === "str" ? String(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The labels that the text names, or why it names none. */
export function labelsOf(text: string): { labels: Record<string, string>; problem: string } {
  const pairs = text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((one) => /^([^:=]+)[:=](.+)$/s.exec(one));
  const good = pairs.filter((one) => one !== null);
  return { labels: Object.fromEntries(good.map(([, name = "", value = ""]) => [name, value])), problem: good.length < pairs.length ? words.badLabel : "" };
}

export function Start({ flow }: { flow: string }): JSX.Element {
  const { query } = usePlace();
  const like = query.get("like");
  useTitle(`${words.start} ${flow}`);
  const found = useLoad(`flow ${flow}`, (signal) => call<FlowAnswer>("GET", at("flow", flow), { signal }), 0);
  const model = useLoad(`like ${like ?? ""}`, (signal) => (like ? inputOf(like, signal) : Promise.resolve(null)), 0);
  if (model.error) return <Problem error={model.error} retry={model.reload} />;
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data || (like && model.loading)) return <Skeleton />;
  return <Form flow={found.data.data} like={model.data} />;
}

interface Model {
  name: string;
  input: Json;
  labels: Record<string, Json>;
}

/** A run with its whole input: the run itself shows large values as references. */
async function inputOf(name: string, signal: AbortSignal): Promise<Model> {
  const [run, input] = await Promise.all([
    call<Run>("GET", at("flowrun", name), { query: { view: "summary" }, signal }),
    call<Json>("GET", `${at("flowrun", name)}/value`, { query: { of: "input", raw: true }, signal }),
  ]);
  return { name, input: input.data, labels: run.data.metadata.labels };
}

interface Filled {
  input: Json;
  problems: Record<string, string>;
}

/** The input that the fields hold, and what is wrong with each. */
function filled(parameters: readonly Parameter[], texts: Record<string, string>): Filled {
  const problems: Record<string, string> = {};
  const input: Record<string, Json> = {};
  for (const one of parameters) {
    const text = texts[one.name] ?? "";
    const isEmpty = !text && (one.type !== "str" || one.secret);
    if (isEmpty && !one.required) continue;
    if (isEmpty) {
      problems[one.name] = words.required;
      continue;
    }
    try {
      input[one.name] = valueOf(one.type, text);
    } catch (problem) {
      problems[one.name] = (problem as Error).message;
    }
  }
  return { input, problems };
}

/** The problems that the server found, by field. */
function fieldsOf(error: Error | null): Record<string, string> {
  const fields = error instanceof ApiError ? (error.more["fields"] as { path: string; problem: string }[] | undefined) : undefined;
  return Object.fromEntries((fields ?? []).map((one) => [one.path, one.problem]));
}

function Form({ flow, like }: { flow: FlowAnswer; like: Model | null }): JSX.Element {
  const declared = Array.isArray(flow.spec.input) ? flow.spec.input : [];
  const whole = declared.length === 1 && declared[0]?.name === "" ? declared[0].type : flow.spec.input && !Array.isArray(flow.spec.input) ? flow.spec.input.type : null;
  const parameters = whole ? [] : declared;
  const old = (like?.input ?? {}) as Record<string, Json>;
  const [texts, setTexts] = useState<Record<string, string>>(() => Object.fromEntries(parameters.map((one) => [one.name, one.secret ? "" : textOfValue(one.type, old[one.name] ?? one.default)])));
  const [document, setDocument] = useState(whole ? JSON.stringify(like?.input ?? (whole === "list" ? [] : {}), null, 2) : "");
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [name, setName] = useState("");
  const [labels, setLabels] = useState(like ? Object.entries(like.labels).map(([key, value]) => `${key}:${String(value)}`).join(" ") : "");
  const [key, setKey] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const [same, setSame] = useState("");
  const [begun, setBegun] = useState("");
  const [busy, setBusy] = useState(false);
  const found = whole ? filled([{ name: "", type: whole, required: true }], { "": document }) : filled(parameters, texts);
  const given: Json = whole ? ((found.input as Record<string, Json>)[""] ?? null) : found.input;
  const pairs = labelsOf(labels);
  const isBad = Object.keys(found.problems).length > 0 || pairs.problem !== "";
  const refusedFields = fieldsOf(error);
  const isShownBad = pairs.problem !== "" || Object.keys(found.problems).some((one) => touched.has(one));
  const body = { input: given, ...(name ? { name } : {}), ...(key ? { key } : {}), ...(Object.keys(pairs.labels).length ? { labels: pairs.labels } : {}) };
  const path = `${at("flow", flow.metadata.name)}/runs`;
  const start = async (stays: boolean): Promise<void> => {
    setTouched(new Set(["", ...parameters.map((one) => one.name)]));
    if (isBad || busy) return;
    setBusy(true);
    setError(null);
    setBegun("");
    setSame("");
    try {
      const made = await call<Run>("POST", path, { body });
      setTouched(new Set());
      // A secret is kept nowhere: not in the form either.
      setTexts((before) => ({ ...before, ...Object.fromEntries(parameters.filter((one) => one.secret).map((one) => [one.name, ""])) }));
      if (made.status === 200 && key) setSame(made.data.metadata.name);
      else if (stays) setBegun(made.data.metadata.name);
      else go(["runs", made.data.metadata.name]);
    } catch (problem) {
      setError(problem as Error);
    }
    setBusy(false);
  };
  const latest = useRef(start);
  latest.current = start;
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      void latest.current(false);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
  const change = (one: string, text: string): void => {
    setTexts({ ...texts, [one]: text });
    setTouched(new Set([...touched, one]));
  };
  const problemOf = (one: string): string => (touched.has(one) ? (found.problems[one] ?? "") : "") || (error ? (refusedFields[one] ?? "") : "");
  return (
    <>
      <div class="title">
        <h1>
          {words.start} {plain(flow.metadata.name)}@{flow.metadata.version}
        </h1>
        {like ? <span class="faint">{words.likeRun(plain(like.name))}</span> : null}
      </div>
      <form
        class="form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void start(false);
        }}
      >
        {parameters.map((one) => (
          <Field key={one.name} parameter={one} text={texts[one.name] ?? ""} problem={problemOf(one.name)} set={(text) => change(one.name, text)} />
        ))}
        {whole ? (
          <Field parameter={{ name: words.input, type: whole, required: true }} text={document} problem={problemOf("") || (refusedFields["input"] ?? "")} set={(text) => (setDocument(text), setTouched(new Set([""])))} rows={8} />
        ) : null}
        <Options {...{ name, setName, labels, setLabels, key_: key, setKey, problem: pairs.problem }} />
        {error && !parameters.some((one) => refusedFields[one.name]) ? <Problem error={error} /> : null}
        {same ? <Found text={words.ofKey} name={same} note={words.sameRun} /> : null}
        {begun ? <Found text={words.begunRun(plain(begun))} name={begun} /> : null}
        <p class="actions">
          <button type="submit" class="primary" disabled={busy || isShownBad || !may("POST /flow/{name}/runs")} title={may("POST /flow/{name}/runs") ? "Ctrl Enter" : words.needsRole("POST /flow/{name}/runs")}>
            {words.start}
          </button>
          <button type="button" disabled={busy || isShownBad || !may("POST /flow/{name}/runs")} onClick={() => void start(true)}>
            {words.startStays}
          </button>
          <button type="button" onClick={() => go(["play", flow.metadata.name])}>
            {words.playInstead}
          </button>
        </p>
        <Lines flow={flow.metadata.name} path={path} body={masked(body, whole ? [] : parameters)} />
      </form>
    </>
  );
}

/** The body with `***` in place of secrets. */
function masked<T extends { input: Json }>(body: T, parameters: readonly Parameter[]): T {
  const secrets = parameters.filter((one) => one.secret && typeof body.input === "object" && body.input !== null && one.name in body.input);
  return secrets.length ? { ...body, input: { ...(body.input as Record<string, Json>), ...Object.fromEntries(secrets.map((one) => [one.name, "***"])) } } : body;
}

function Lines({ flow, path, body }: { flow: string; path: string; body: { input: Json; name?: string } }): JSX.Element {
  const curl = curlOf("POST", path, body);
  const fsl = `fsl run ${quoted(flow)} --input ${quoted(JSON.stringify(body.input))}${body.name ? ` --name ${quoted(body.name)}` : ""} --wait`;
  return (
    <details>
      <summary>{words.sameCall}</summary>
      <pre>{curl}</pre>
      <pre>{fsl}</pre>
      <Copy text={curl} label={words.copyCurl} /> <Copy text={fsl} label={words.copyFsl} />
    </details>
  );
}

function Found({ text, name, note }: { text: string; name: string; note?: string }): JSX.Element {
  return (
    <p class="notice" role="status">
      {text} <a href={href(["runs", name])}>{plain(name)}</a> {note ? <span class="faint">{note}</span> : null}
    </p>
  );
}

interface OptionFields {
  name: string;
  setName: (text: string) => void;
  labels: string;
  setLabels: (text: string) => void;
  key_: string;
  setKey: (text: string) => void;
  problem: string;
}

function Options(props: OptionFields): JSX.Element {
  return (
    <fieldset>
      <legend>{words.optional}</legend>
      <label>
        {words.name}
        <input value={props.name} maxLength={128} placeholder={words.generated} autocomplete="off" onInput={(event) => props.setName(event.currentTarget.value)} />
      </label>
      <label>
        {words.labels}
        <input value={props.labels} placeholder="team:a priority:1" autocomplete="off" aria-invalid={props.problem !== ""} onInput={(event) => props.setLabels(event.currentTarget.value)} />
        {props.problem ? <span class="error">{props.problem}</span> : null}
      </label>
      <label>
        {words.idempotency}
        <input value={props.key_} maxLength={128} autocomplete="off" onInput={(event) => props.setKey(event.currentTarget.value)} />
      </label>
    </fieldset>
  );
}

function Field({ parameter, text, problem, set, rows }: { parameter: Parameter; text: string; problem: string; set: (text: string) => void; rows?: number }): JSX.Element {
  return (
    <label class={problem ? "invalid" : ""}>
      <span>
        {plain(parameter.name)} <span class="faint">{parameter.type}</span>
        {parameter.required ? <span title={words.required}> *</span> : null}
      </span>
      <Input parameter={parameter} text={text} set={set} isInvalid={problem !== ""} {...(rows ? { rows } : {})} />
      {parameter.secret ? <span class="faint">{words.secretHelp}</span> : null}
      {problem ? (
        <span class="error" role="alert">
          {plain(problem)}
        </span>
      ) : null}
    </label>
  );
}

export function Input({ parameter, text, set, isInvalid, rows }: { parameter: Parameter; text: string; set: (text: string) => void; isInvalid?: boolean; rows?: number }): JSX.Element {
  const change = (event: { currentTarget: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement }): void => set(event.currentTarget.value);
  const invalid = isInvalid ? { "aria-invalid": true } : {};
  if (parameter.type === "bool")
    return (
      <select value={text || "false"} onChange={change} {...invalid}>
        <option>true</option>
        <option>false</option>
      </select>
    );
  if (JSON_TYPES.includes(parameter.type) && !parameter.secret)
    return <textarea rows={rows ?? Math.min(12, Math.max(3, text.split("\n").length))} spellcheck={false} value={text} placeholder={words.jsonEditor(parameter.type)} onInput={change} {...invalid} />;
  if (parameter.secret) return <input type="password" autocomplete="off" value={text} onInput={change} {...invalid} />;
  const mode = parameter.type === "int" ? "numeric" : parameter.type === "float" ? "decimal" : "text";
  return <input type="text" autocomplete="off" inputMode={mode} value={text} onInput={change} {...invalid} />;
}
