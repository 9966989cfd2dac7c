// The flows and actions of the namespace.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/client";
import type { Definition } from "../api/types";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Empty, Problem, Skeleton, Tabs, useTitle } from "../ui/parts";
import { Seen } from "../ui/seen";
import { go, href, usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";
import { Live } from "./flow";

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
