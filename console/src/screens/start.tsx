// Start a run: a form from the declared inputs of the flow.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { at, call, curlOf, quoted } from "../api/client";
import type { Json, Parameter, Run } from "../api/types";
import { useLoad } from "../ui/load";
import { Copy, Problem, Skeleton, useTitle } from "../ui/parts";
import { go, usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";

interface FlowAnswer {
  metadata: { name: string; version: number };
  spec: { input?: Parameter[] | { type: string } | null };
}

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
      return JSON.parse(text) as Json;
  }
}

export function textOfValue(type: string, value: Json | undefined): string {
  if (value === undefined || value === null) return type === "bool" ? "false" : "";
  return type === "str" ? String(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function Start({ flow }: { flow: string }): JSX.Element {
  const { query } = usePlace();
  const like = query.get("like");
  useTitle(`${words.start} ${flow}`);
  const found = useLoad(`flow ${flow}`, (signal) => call<FlowAnswer>("GET", at("flow", flow), { signal }), 0);
  const model = useLoad(`like ${like ?? ""}`, async (signal) => (like ? (await call<Run>("GET", at("flowrun", like), { signal })).data : null), 0);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data || (like && model.loading)) return <Skeleton />;
  return <Form flow={found.data.data} like={model.data} />;
}

function Form({ flow, like }: { flow: FlowAnswer; like: Run | null }): JSX.Element {
  const declared = Array.isArray(flow.spec.input) ? flow.spec.input : [];
  const whole = declared.length === 1 && declared[0]?.name === "" ? declared[0].type : flow.spec.input && !Array.isArray(flow.spec.input) ? flow.spec.input.type : null;
  const parameters = whole ? [] : declared;
  const old = (like?.spec.input ?? {}) as Record<string, Json>;
  const [texts, setTexts] = useState<Record<string, string>>(() => Object.fromEntries(parameters.map((one) => [one.name, one.secret ? "" : textOfValue(one.type, old[one.name] ?? one.default)])));
  const [document, setDocument] = useState(whole ? JSON.stringify(like?.spec.input ?? {}, null, 2) : "");
  const [name, setName] = useState("");
  const [labels, setLabels] = useState("");
  const [key, setKey] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const problems: Record<string, string> = {};
  const input: Record<string, Json> = {};
  for (const one of parameters) {
    const text = texts[one.name] ?? "";
    if (!text && !one.required && one.type !== "str") continue;
    if (!text && one.required && one.type !== "str") {
      problems[one.name] = words.required;
      continue;
    }
    try {
      input[one.name] = valueOf(one.type, text);
    } catch (problem) {
      problems[one.name] = (problem as Error).message;
    }
  }
  let given: Json = input;
  if (whole) {
    try {
      given = JSON.parse(document) as Json;
    } catch {
      problems[""] = words.notJson;
    }
  }
  const pairs = labels
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((one) => one.split(/[:=](.*)/s) as [string, string]);
  const body = { input: given, ...(name ? { name } : {}), ...(key ? { key } : {}), ...(pairs.length ? { labels: Object.fromEntries(pairs) as Record<string, string> } : {}) };
  const path = `${at("flow", flow.metadata.name)}/runs`;
  const shown = { ...body, input: whole ? given : Object.fromEntries(parameters.filter((one) => one.name in input).map((one) => [one.name, one.secret ? "***" : (input[one.name] ?? null)])) };
  const fsl = `fsl run ${quoted(flow.metadata.name)} --input ${quoted(JSON.stringify(shown.input))}${name ? ` --name ${quoted(name)}` : ""} --wait`;
  const start = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const found = await call<Run>("POST", path, { body });
      go(["runs", found.data.metadata.name]);
    } catch (problem) {
      setError(problem as Error);
      setBusy(false);
    }
  };
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !Object.keys(problems).length) void start();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  });
  return (
    <>
      <div class="title">
        <h1>
          {words.start} {plain(flow.metadata.name)}@{flow.metadata.version}
        </h1>
        {like ? <span class="faint">{words.likeRun(plain(like.metadata.name))}</span> : null}
      </div>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        {parameters.map((one) => (
          <label key={one.name}>
            <span>
              {plain(one.name)} <span class="faint">{one.type}</span>
              {one.required ? <span title={words.required}> *</span> : null}
            </span>
            <Input parameter={one} text={texts[one.name] ?? ""} set={(text) => setTexts({ ...texts, [one.name]: text })} />
            {problems[one.name] ? <span class="error">{problems[one.name]}</span> : null}
          </label>
        ))}
        {whole ? (
          <label>
            {words.input} <span class="faint">{whole}</span>
            <textarea rows={8} spellcheck={false} value={document} onInput={(event) => setDocument(event.currentTarget.value)} />
            {problems[""] ? <span class="error">{problems[""]}</span> : null}
          </label>
        ) : null}
        <fieldset>
          <legend>{words.optional}</legend>
          <label>
            {words.name}
            <input value={name} maxLength={128} placeholder={words.generated} onInput={(event) => setName(event.currentTarget.value)} />
          </label>
          <label>
            {words.labels}
            <input value={labels} placeholder="team:a priority:1" onInput={(event) => setLabels(event.currentTarget.value)} />
          </label>
          <label>
            {words.idempotency}
            <input value={key} maxLength={128} onInput={(event) => setKey(event.currentTarget.value)} />
          </label>
        </fieldset>
        {error ? <Problem error={error} /> : null}
        <p class="actions">
          <button type="submit" class="primary" disabled={busy || Object.keys(problems).length > 0}>
            {words.start}
          </button>
          <button type="button" onClick={() => go(["play", flow.metadata.name])}>
            {words.playInstead}
          </button>
        </p>
        <details>
          <summary>{words.sameCall}</summary>
          <pre>{curlOf("POST", path, shown)}</pre>
          <pre>{fsl}</pre>
          <Copy text={curlOf("POST", path, shown)} label={words.copyCurl} /> <Copy text={fsl} label={words.copyFsl} />
        </details>
      </form>
    </>
  );
}

export function Input({ parameter, text, set }: { parameter: Parameter; text: string; set: (text: string) => void }): JSX.Element {
  const change = (event: { currentTarget: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement }): void => set(event.currentTarget.value);
  if (parameter.type === "bool")
    return (
      <select value={text || "false"} onChange={change}>
        <option>true</option>
        <option>false</option>
      </select>
    );
  if (["any", "map", "list"].includes(parameter.type)) return <textarea rows={3} spellcheck={false} value={text} onInput={change} />;
  if (parameter.secret) return <input type="password" autocomplete="off" value={text} onInput={change} />;
  const mode = parameter.type === "int" ? "numeric" : parameter.type === "float" ? "decimal" : "text";
  return <input type="text" autocomplete="off" inputMode={mode} value={text} onInput={change} />;
}
