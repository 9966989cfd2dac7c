// With which run to compare: the newest ones of the same flow, or one by its name.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../../api/client";
import type { RunSummary } from "../../api/types";
import { useLoad } from "../../ui/load";
import { Problem, Skeleton, Status, When } from "../../ui/parts";
import { go, href } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";

const OFFERED = 20;

export function Choice({ name }: { name: string }): JSX.Element {
  const [other, setOther] = useState("");
  const found = useLoad(
    `compare with ${name}`,
    async (signal) => {
      if (!name) return [];
      const { spec } = (await call<RunSummary>("GET", at("flowrun", name), { query: { view: "summary" }, signal })).data;
      const runs = await call<RunSummary[]>("GET", "/flowrun", { query: { view: "summary", flow: spec.flow, limit: OFFERED + 1 }, signal });
      return runs.data.filter((one) => one.metadata.name !== name).slice(0, OFFERED);
    },
    0,
  );
  const begin = (event: Event): void => {
    event.preventDefault();
    if (other.trim()) go(["compare", name, other.trim()]);
  };
  return (
    <>
      <div class="title">
        <h1>{words.compareRunWith(plain(name))}</h1>
      </div>
      <form class="form inline" onSubmit={begin}>
        <label>
          {words.name}
          <input data-find value={other} onInput={(event) => setOther(event.currentTarget.value)} />
        </label>
        <button type="submit" class="primary" disabled={!other.trim()}>
          {words.compareRuns}
        </button>
      </form>
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      {found.data ? (
        <ul class="cards">
          {found.data.map((one) => (
            <li key={one.metadata.uuid}>
              <a href={href(["compare", name, one.metadata.name])}>
                <strong>{plain(one.metadata.name)}</strong> <Status status={one.spec.status} />
                <span class="faint">
                  @{one.spec.flow_version} · <When at={one.spec.created_at} />
                </span>
              </a>
            </li>
          ))}
        </ul>
      ) : found.error ? null : (
        <Skeleton />
      )}
    </>
  );
}
