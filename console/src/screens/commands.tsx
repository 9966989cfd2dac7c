// What a person does to a run: each command says what will happen, and shows the same call for a terminal.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, at, call, curlOf, quoted } from "../api/client";
import type { Graph, Json, Run } from "../api/types";
import { useLoad } from "../ui/load";
import { Copy, Dialog, Problem } from "../ui/parts";
import { go } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";

export type Command = "retry" | "pause" | "continue" | "stop" | "signal" | "vars" | "goto" | "migrate" | "delete";

interface Form {
  step: string;
  version: string;
  reason: string;
  name: string;
  data: string;
  vars: string;
}

const EMPTY: Form = { step: "", version: "", reason: "", name: "", data: "", vars: "" };

/** The variables that can be written here: not those that are encrypted, or too large to be shown whole. */
function editable(variables: Record<string, Json>): Record<string, Json> {
  const isPart = (value: Json): boolean => value === "***" || (typeof value === "object" && value !== null && ("$cut" in value || "$ref" in value || Object.values(value).some(isPart)));
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => !isPart(value)));
}

/** The variables that a person changed: others may have been changed by somebody else meanwhile. */
function changedVars(text: string, before: Record<string, Json>): Record<string, Json> {
  const now = JSON.parse(text || "{}") as Record<string, Json>;
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])));
}

/** The body of the call. Throws if a field that holds JSON does not. */
function bodyOf(command: Command, form: Form, variables: Record<string, Json>): Record<string, Json> | undefined {
  const body: Record<string, Json> = {};
  switch (command) {
    case "retry":
      if (form.step) body["step"] = form.step;
      if (form.version) body["version"] = form.version === "latest" ? "latest" : Number(form.version);
      if (form.vars.trim()) body["vars"] = JSON.parse(form.vars) as Json;
      if (form.data.trim()) body["input"] = JSON.parse(form.data) as Json;
      if (form.reason) body["reason"] = form.reason;
      return body;
    case "stop":
      return { reason: form.reason };
    case "signal":
      return { name: form.name, data: form.data.trim() ? (JSON.parse(form.data) as Json) : null };
    case "vars":
      return { vars: changedVars(form.vars, variables) };
    case "goto":
      return { step: form.step, ...(form.reason ? { reason: form.reason } : {}) };
    case "migrate":
      return { version: Number(form.version) };
    default:
      return undefined;
  }
}

function fslOf(command: Command, run: string, form: Form, body: Record<string, Json> | undefined): string {
  const parts = ["fsl", command, quoted(run)];
  if (form.step && (command === "retry" || command === "goto")) parts.push(command === "goto" ? quoted(form.step) : `--step ${quoted(form.step)}`);
  if (form.version) parts.push(`--version ${quoted(form.version)}`);
  if (form.reason) parts.push(`--reason ${quoted(form.reason)}`);
  if (command === "retry" && form.data.trim()) parts.push(`--input ${quoted(form.data.trim())}`);
  if (command === "retry" && form.vars.trim()) parts.push(`--var ${quoted(form.vars.trim())}`);
  if (command === "vars") parts.push(quoted(JSON.stringify(body?.["vars"] ?? {})));
  if (command === "signal") parts.push(quoted(form.name), ...(form.data.trim() ? [`--data ${quoted(form.data)}`] : []));
  return parts.join(" ");
}

export function Commands(props: { run: Run; graph: Graph | null; command: Command; close: (changed: boolean) => void }): JSX.Element {
  const { run, command } = props;
  const name = run.metadata.name;
  const [variables] = useState(() => editable(run.spec.global_variable ?? {}));
  const [form, setForm] = useState<Form>({ ...EMPTY, vars: command === "vars" ? JSON.stringify(variables, null, 2) : "" });
  const [error, setError] = useState<Error | null>(null);
  const [fits, setFits] = useState<Json | null>(null);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<string | null>(null);
  const set = (changed: Partial<Form>): void => setForm({ ...form, ...changed });
  const steps = (props.graph?.nodes ?? []).filter((one) => one.id.startsWith("step:")).map((one) => one.name);
  const method = command === "delete" ? "DELETE" : "POST";
  const path = command === "delete" ? at("flowrun", name, run.metadata.uuid) : `${at("flowrun", name)}/${command}`;
  let body: Record<string, Json> | undefined;
  let invalid = "";
  try {
    body = bodyOf(command, form, variables);
  } catch {
    invalid = words.notJson;
  }
  const send = async (dry = false): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const found = await call<Json>(method, path, body === undefined ? {} : { body: dry ? { ...body, dry_run: true } : body });
      if (dry) setFits(found.data);
      else if (command === "delete") {
        props.close(true);
        go(["runs"]);
      } else setDone(words.doneNow((found.data as { spec?: { status?: string; current_state?: string } } | null)?.spec?.status ?? ""));
    } catch (problem) {
      setError(problem as Error);
      if (problem instanceof ApiError && problem.more["tokens"]) setFits(problem.more as Json);
    } finally {
      setBusy(false);
    }
  };
  const label = words.commandNames[command];
  return (
    <Dialog title={`${label}: ${plain(name)}`} close={() => props.close(done !== null)}>
      <p>{words.commandWhat[command](plain(run.spec.error?.step || run.spec.current_state))}</p>
      {done ? (
        <p role="status">
          <strong>{done}</strong>
        </p>
      ) : (
        <>
          {command === "retry" || command === "goto" ? (
            <label>
              {command === "goto" ? words.step : words.stepOr}
              <select value={form.step} onChange={(event) => set({ step: event.currentTarget.value })}>
                <option value="">{command === "goto" ? "" : words.whereItStopped}</option>
                {steps.map((one) => (
                  <option key={one}>{one}</option>
                ))}
              </select>
            </label>
          ) : null}
          {(command === "retry" || command === "migrate") && run.spec.flow ? <Versions flow={run.spec.flow} now={run.spec.flow_version} value={form.version} latest={command === "retry"} set={(version) => set({ version })} /> : null}
          {command === "signal" ? (
            <label>
              {words.eventName}
              <input value={form.name} required onInput={(event) => set({ name: event.currentTarget.value })} />
            </label>
          ) : null}
          {command === "signal" || command === "retry" ? (
            <label>
              {command === "retry" ? words.inputChanges : words.dataJson}
              <textarea rows={3} spellcheck={false} value={form.data} onInput={(event) => set({ data: event.currentTarget.value })} />
            </label>
          ) : null}
          {command === "vars" || command === "retry" ? (
            <label>
              {command === "retry" ? words.varChanges : words.varsJson}
              <textarea rows={command === "vars" ? 8 : 3} spellcheck={false} value={form.vars} onInput={(event) => set({ vars: event.currentTarget.value })} />
            </label>
          ) : null}
          {["stop", "retry", "goto"].includes(command) ? (
            <label>
              {words.reason}
              <input value={form.reason} onInput={(event) => set({ reason: event.currentTarget.value })} />
            </label>
          ) : null}
          {invalid ? <p class="error">{invalid}</p> : null}
          {fits !== null ? <Fits fits={fits} /> : null}
          <details>
            <summary>{words.sameCall}</summary>
            <pre>{invalid ? "" : curlOf(method, path, body)}</pre>
            <pre>{fslOf(command, name, form, body)}</pre>
            <Copy text={invalid ? "" : curlOf(method, path, body)} label={words.copyCurl} /> <Copy text={fslOf(command, name, form, body)} label={words.copyFsl} />
          </details>
        </>
      )}
      {error ? <Problem error={error} /> : null}
      <p class="actions">
        <button type="button" onClick={() => props.close(done !== null)}>
          {done ? words.close : words.cancel}
        </button>
        {!done && command === "migrate" ? (
          <button type="button" disabled={busy || !form.version} onClick={() => void send(true)}>
            {words.checkFit}
          </button>
        ) : null}
        {done ? null : (
          <button type="button" class={command === "stop" || command === "delete" ? "danger" : "primary"} disabled={busy || Boolean(invalid) || (command === "goto" && !form.step) || (command === "signal" && !form.name) || (command === "migrate" && !form.version)} onClick={() => void send()}>
            {label}
          </button>
        )}
      </p>
    </Dialog>
  );
}

function Versions(props: { flow: string; now: number; value: string; latest: boolean; set: (version: string) => void }): JSX.Element {
  const found = useLoad(`versions ${props.flow}`, (signal) => call<{ version: number }[]>("GET", `${at("flow", props.flow)}/versions`, { signal }), 0);
  return (
    <label>
      {words.version}
      <select value={props.value} onChange={(event) => props.set(event.currentTarget.value)}>
        <option value="">{words.sameVersion(props.now)}</option>
        {props.latest ? <option value="latest">{words.latest}</option> : null}
        {(found.data?.data ?? [])
          .filter((one) => one.version !== props.now)
          .map((one) => (
            <option key={one.version} value={String(one.version)}>
              {one.version}
            </option>
          ))}
      </select>
    </label>
  );
}

function Fits({ fits }: { fits: Json }): JSX.Element {
  const { tokens, problems } = fits as { tokens?: { token: string; step: string; to?: string; fits: boolean; problems?: string[] }[]; problems?: string[] };
  return (
    <div class="fits">
      <ul>
        {(tokens ?? []).map((one) => (
          <li key={one.token} class={one.fits ? "" : "failed"}>
            {one.fits ? "✓" : "✕"} {plain(one.step)} {one.to && one.to !== one.step ? `→ ${plain(one.to)}` : ""} {(one.problems ?? []).map(plain).join("; ")}
          </li>
        ))}
        {(problems ?? []).map((one) => (
          <li key={one} class="failed">
            ✕ {plain(one)}
          </li>
        ))}
      </ul>
    </div>
  );
}
