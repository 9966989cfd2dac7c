// The flows and actions of the namespace, and one action.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../api/client";
import type { Definition, Json } from "../api/types";
import { JsonView } from "../ui/json";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Empty, Problem, Skeleton, Tabs, useTitle } from "../ui/parts";
import { Seen } from "../ui/seen";
import { go, href, usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";
import { Do } from "./do";
import { Live, UsedBy } from "./flow";
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
                {kind === "flow" ? <th>{words.liveRuns}</th> : null}
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
                  {kind === "flow" ? (
                    <td>
                      <Seen>
                        <Live flow={one.metadata.name} />
                      </Seen>
                    </td>
                  ) : null}
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

export function ActionScreen({ name }: { name: string }): JSX.Element {
  useTitle(name);
  const tab = usePlace().query.get("tab") ?? "data";
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
      <Tabs
        label={name}
        at={tab}
        go={(next) => go(["actions", name], next === "data" ? {} : { tab: next }, true)}
        tabs={[
          ["data", words.definition],
          ["text", words.text],
          ["used", words.usedBy],
        ]}
      />
      {tab === "data" ? <JsonView value={action as unknown as Json} open={3} /> : null}
      {tab === "text" ? (
        <pre class="source" tabIndex={0}>
          {plain(textOf(action))}
        </pre>
      ) : null}
      {tab === "used" ? <UsedBy kind="action" name={name} /> : null}
    </>
  );
}
