// The flows and actions of the namespace; one flow with its diagram, text, versions and steps.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../api/client";
import type { Definition, Graph, Json } from "../api/types";
import { Diagram, List } from "../ui/diagram";
import { JsonView } from "../ui/json";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Dialog, Empty, Problem, Skeleton, Tabs, useTitle, When } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";
import { Do } from "./do";
import { textOf } from "./run/flow_text";

type Kind = "flow" | "action";

export function Flows(): JSX.Element {
  const { query } = usePlace();
  const kind: Kind = query.get("kind") === "action" ? "action" : "flow";
  const [prefix, setPrefix] = useState("");
  useTitle(words.flows);
  const found = useLoad(`${kind}s`, (signal) => call<Definition[]>("GET", `/${kind}`, { query: { limit: 100 }, signal }), 30);
  const [older, setOlder] = useState<{ kind: Kind; list: Definition[]; cursor: string | null }>({ kind, list: [], cursor: null });
  const all = [...(found.data?.data ?? []), ...(older.kind === kind ? older.list : [])];
  const cursor = older.kind === kind && older.list.length ? older.cursor : (found.data?.cursor ?? null);
  const shown = all.filter((one) => one.metadata.name.toLowerCase().startsWith(prefix.toLowerCase()));
  const more = async (): Promise<void> => {
    const next = await call<Definition[]>("GET", `/${kind}`, { query: { limit: 100, cursor } });
    setOlder({ kind, list: [...(older.kind === kind ? older.list : []), ...next.data], cursor: next.cursor });
  };
  return (
    <>
      <div class="title">
        <h1>{kind === "flow" ? words.flows : words.actions_}</h1>
        <span class="faint">{words.ofRead(shown.length, all.length, cursor !== null)}</span>
        {may("POST /fsl") ? (
          <a class="button primary" href={href(["edit"])}>
            {words.newFlow}
          </a>
        ) : null}
      </div>
      <div class="filters">
        <Tabs label={words.flows} at={kind} go={(next) => go(["flows"], next === "action" ? { kind: next } : {})} tabs={[["flow", words.flows], ["action", words.actions_]]} />
        <input data-find class="grow" value={prefix} placeholder={words.beginsWith} aria-label={words.beginsWith} onInput={(event) => setPrefix(event.currentTarget.value)} />
      </div>
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      {!all.length ? (
        found.loading ? (
          <Skeleton />
        ) : (
          <Empty title={words.noFlows}>
            <p>
              <a class="button" href={href(["edit"], { example: "approval" })}>
                {words.tryExample}
              </a>
            </p>
          </Empty>
        )
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>{words.name}</th>
                <th>{words.version}</th>
                {kind === "flow" ? <th>{words.input}</th> : <th>{words.method}</th>}
                {kind === "action" ? <th>{words.address}</th> : null}
                <th />
              </tr>
            </thead>
            <tbody>
              {shown.map((one) => (
                <tr key={one.metadata.name}>
                  <td>
                    <a class="name" href={href([kind === "flow" ? "flows" : "actions", one.metadata.name])}>
                      {plain(one.metadata.name)}
                    </a>
                  </td>
                  <td>{one.metadata.version}</td>
                  {kind === "flow" ? <td class="faint">{inputsOf(one)}</td> : <td>{String(one.spec["method"] ?? "")}</td>}
                  {kind === "action" ? <td class="faint">{plain(String((one.spec["endpoints"] as string[] | undefined)?.[0] ?? ""))}</td> : null}
                  <td class="actions">
                    {kind === "flow" && may("POST /flow/{name}/runs") ? (
                      <a class="button" href={href(["start", one.metadata.name])}>
                        {words.start}
                      </a>
                    ) : null}
                    {may("POST /fsl") ? (
                      <a class="button" href={href(["edit"], { [kind]: one.metadata.name })}>
                        {words.edit}
                      </a>
                    ) : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {cursor ? (
        <p>
          <button type="button" onClick={() => void more()}>
            {words.loadMore}
          </button>
        </p>
      ) : null}
    </>
  );
}

function inputsOf(one: Definition): string {
  return Array.isArray(one.spec.input) ? one.spec.input.map((input) => `${input.type} ${input.name}`.trim()).join(", ") : "";
}

interface Version {
  version: number;
  uuid: string;
  created_at: string;
  created_by: string;
}

export function FlowScreen({ name }: { name: string }): JSX.Element {
  const { query } = usePlace();
  useTitle(name);
  const version = query.get("version");
  const tab = query.get("tab") ?? "diagram";
  const [asked, setAsked] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const found = useLoad(`flow ${name} ${version ?? ""}`, (signal) => call<Definition>("GET", at("flow", name), { query: { version }, signal }), 0);
  const graph = useLoad(`flow graph ${name} ${version ?? ""}`, (signal) => call<Graph>("GET", `${at("flow", name)}/graph`, { query: { version, layout: true }, signal }), 0);
  const set = (changed: Record<string, string | null>): void => {
    const next = new URLSearchParams(query);
    for (const [key, value] of Object.entries(changed)) value ? next.set(key, value) : next.delete(key);
    go(["flows", name], next, true);
  };
  const flow = found.data?.data;
  const remove = async (): Promise<void> => {
    try {
      await call("DELETE", at("flow", name));
      go(["flows"]);
    } catch (problem) {
      setError(problem as Error);
    }
  };
  return (
    <>
      <div class="title">
        <h1>{plain(name)}</h1>
        {flow ? <span class="faint">{words.versionN(flow.metadata.version)}</span> : null}
        <span class="actions">
          <a class="button primary" href={href(["start", name])}>
            {words.start}
          </a>
          <a class="button" href={href(["edit"], { flow: name })}>
            {words.edit}
          </a>
          <a class="button" href={href(["runs"], { flow: name })}>
            {words.runs}
          </a>
          <Do call="DELETE /flow/{name}" onClick={() => setAsked(true)}>
            {words.delete_}
          </Do>
        </span>
      </div>
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      <Tabs
        label={name}
        at={tab}
        go={(next) => set({ tab: next })}
        tabs={[
          ["diagram", words.diagram],
          ["steps", words.steps],
          ["text", words.text],
          ["versions", words.versions],
        ]}
      />
      {tab === "diagram" ? graph.data ? <Diagram graph={graph.data.data} /> : <Skeleton /> : null}
      {tab === "steps" ? graph.data ? <List graph={graph.data.data} /> : <Skeleton /> : null}
      {tab === "text" ? (
        <pre class="source" tabIndex={0}>
          {flow ? plain(textOf(flow)) : ""}
        </pre>
      ) : null}
      {tab === "versions" ? <Versions name={name} set={set} /> : null}
      {asked ? (
        <Dialog title={`${words.delete_}: ${plain(name)}`} close={() => setAsked(false)}>
          <p>{words.deleteFlow}</p>
          {error ? <Problem error={error} /> : null}
          <p class="actions">
            <button type="button" onClick={() => setAsked(false)}>
              {words.cancel}
            </button>
            <button type="button" class="danger" onClick={() => void remove()}>
              {words.delete_}
            </button>
          </p>
        </Dialog>
      ) : null}
    </>
  );
}

function Versions({ name, set }: { name: string; set: (changed: Record<string, string | null>) => void }): JSX.Element {
  const found = useLoad(`versions ${name}`, (signal) => call<Version[]>("GET", `${at("flow", name)}/versions`, { signal }), 0);
  const [pair, setPair] = useState<readonly [number, number] | null>(null);
  const versions = found.data?.data ?? [];
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  return (
    <>
      <table>
        <thead>
          <tr>
            <th>{words.version}</th>
            <th>{words.begun}</th>
            <th>{words.by}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {versions.map((one, n) => (
            <tr key={one.version}>
              <td>{one.version}</td>
              <td>
                <When at={one.created_at} />
              </td>
              <td>{plain(one.created_by)}</td>
              <td class="actions">
                <button type="button" onClick={() => set({ version: String(one.version), tab: "text" })}>
                  {words.text}
                </button>
                {versions[n + 1] ? (
                  <button type="button" onClick={() => setPair([versions[n + 1]?.version ?? 1, one.version])}>
                    {words.compare(versions[n + 1]?.version ?? 1)}
                  </button>
                ) : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {pair ? <Difference name={name} from={pair[0]} to={pair[1]} /> : null}
    </>
  );
}

function Difference({ name, from, to }: { name: string; from: number; to: number }): JSX.Element {
  const found = useLoad(`diff ${name} ${from} ${to}`, (signal) => call<Record<string, Json>>("GET", `${at("flow", name)}/diff`, { query: { from, to }, signal }), 0);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton rows={3} />;
  const { text, ...rest } = found.data.data;
  return (
    <section>
      <h2>{words.difference(from, to)}</h2>
      {typeof text === "string" ? (
        <pre class="source diff">
          {text.split("\n").map((line, n) => (
            <div key={n} class={line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : ""}>
              {plain(line)}
            </div>
          ))}
        </pre>
      ) : (
        <JsonView value={rest as Json} open={3} />
      )}
    </section>
  );
}

export function ActionScreen({ name }: { name: string }): JSX.Element {
  useTitle(name);
  const found = useLoad(`action ${name}`, (signal) => call<Definition>("GET", at("action", name), { signal }), 10);
  const [error, setError] = useState<Error | null>(null);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton />;
  const action = found.data.data;
  const paused = Boolean((action.spec["paused"] as boolean | undefined) ?? (action as unknown as { status?: { paused?: boolean } }).status?.paused);
  const hold = (verb: "pause" | "continue"): void => {
    call("POST", `${at("action", name)}/${verb}`).then(found.reload, (problem: unknown) => setError(problem as Error));
  };
  return (
    <>
      <div class="title">
        <h1>{plain(name)}</h1>
        <span class="faint">{words.versionN(action.metadata.version)}</span>
        <span class="actions">
          {paused ? (
            <Do call="POST /action/{name}/continue" primary onClick={() => hold("continue")}>
              {words.continue_}
            </Do>
          ) : (
            <Do call="POST /action/{name}/pause" onClick={() => hold("pause")}>
              {words.pause}
            </Do>
          )}
          <a class="button" href={href(["edit"], { action: name })}>
            {words.edit}
          </a>
        </span>
      </div>
      {error ? <Problem error={error} /> : null}
      <JsonView value={action as unknown as Json} open={3} />
    </>
  );
}
