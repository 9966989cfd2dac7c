// One flow: its diagram with what its runs do, text, steps, versions, coverage, and what uses it.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../api/client";
import type { Definition, Explained, Graph, Json } from "../api/types";
import { Diagram } from "../ui/diagram";
import { inWords } from "../ui/explain";
import { JsonView } from "../ui/json";
import { useShortcuts } from "../ui/keys";
import { useLoad, type Loaded } from "../ui/load";
import { may } from "../ui/me";
import { Dialog, Empty, Problem, Skeleton, Tabs, useTitle, When } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { count, plain } from "../ui/text";
import { words } from "../words/en";
import { Do } from "./do";
import { textOf } from "./run/flow_text";

type Set = (changed: Record<string, string | null>) => void;
type Overlay = keyof typeof words.overlays;

const RUNS = 1000;
const LIVE = "pending,running,paused,compensating,canceling";

interface Version {
  version: number;
  uuid: string;
  created_at: string;
  created_by: string;
}

interface FlowAnswer extends Definition {
  status?: { paused?: boolean };
}

export function FlowScreen({ name }: { name: string }): JSX.Element {
  const { query } = usePlace();
  useTitle(name);
  const version = query.get("version");
  const tab = query.get("tab") ?? "diagram";
  const found = useLoad(`flow ${name} ${version ?? ""}`, (signal) => call<FlowAnswer>("GET", at("flow", name), { query: { version }, signal }), 0);
  const versions = useLoad(`versions ${name}`, (signal) => call<Version[]>("GET", `${at("flow", name)}/versions`, { signal }), 0);
  const set: Set = (changed) => {
    const next = new URLSearchParams(query);
    for (const [key, value] of Object.entries(changed)) value ? next.set(key, value) : next.delete(key);
    go(["flows", name], next, true);
  };
  useShortcuts({
    e: () => go(["edit"], { flow: name }),
    s: () => go(["start", name]),
    v: () => set({ tab: "versions" }),
    c: () => set({ tab: "coverage" }),
  });
  const flow = found.data?.data ?? null;
  const newest = versions.data?.data[0]?.version;
  return (
    <>
      <Title name={name} flow={flow} versions={versions} reload={found.reload} />
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      {flow && newest && flow.metadata.version < newest ? (
        <p class="notice">
          {words.oldVersion(flow.metadata.version)}{" "}
          <a class="button" href={href(["flows", name], { tab })}>
            {words.newest}
          </a>
        </p>
      ) : null}
      <Tabs
        label={name}
        at={tab}
        go={(next) => set({ tab: next })}
        tabs={[
          ["diagram", words.diagram],
          ["text", words.text],
          ["steps", words.steps],
          ["versions", words.versions],
          ["coverage", words.coverage],
          ["used", words.usedBy],
        ]}
      />
      {tab === "diagram" ? <Picture name={name} version={version} set={set} overlay={(query.get("show") ?? "none") as Overlay} /> : null}
      {tab === "text" ? (
        <pre class="source" tabIndex={0}>
          {flow ? plain(textOf(flow)) : ""}
        </pre>
      ) : null}
      {tab === "steps" && flow ? <Steps flow={flow} /> : null}
      {tab === "versions" ? <Versions name={name} found={versions} set={set} /> : null}
      {tab === "coverage" ? <Coverage name={name} version={version} /> : null}
      {tab === "used" ? <UsedBy kind="flow" name={name} /> : null}
    </>
  );
}

function Title({ name, flow, versions, reload }: { name: string; flow: FlowAnswer | null; versions: Loaded<{ data: Version[] }>; reload: () => void }): JSX.Element {
  const [asked, setAsked] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const shown = versions.data?.data.find((one) => one.version === flow?.metadata.version);
  const isPaused = Boolean(flow?.status?.paused);
  const change = (method: string, path: string, then: () => void): void => {
    setError(null);
    call(method, path).then(then, (problem: unknown) => setError(problem as Error));
  };
  return (
    <>
      <div class="title">
        <h1>{plain(name)}</h1>
        {flow ? (
          <span class="faint">
            {words.versionOf(flow.metadata.version, plain(shown?.created_by ?? ""))} {shown ? <When at={shown.created_at} /> : null}
          </span>
        ) : null}
        {isPaused ? <span class="badge paused">⏸ {words.tilePaused}</span> : null}
        <span class="actions">
          <Go call="POST /flow/{name}/runs" href={href(["start", name])} primary>
            {words.start}
          </Go>
          <Go call="POST /play" href={href(["play", name])}>
            {words.play}
          </Go>
          <Go call="POST /analyze" href={href(["edit"], { flow: name })}>
            {words.edit}
          </Go>
          <a class="button" href={href(["runs"], { flow: name })}>
            {words.runs}
          </a>
          <Do call={`POST /flow/{name}/${isPaused ? "continue" : "pause"}`} onClick={() => change("POST", `${at("flow", name)}/${isPaused ? "continue" : "pause"}`, reload)}>
            {isPaused ? words.continue_ : words.pauseFlow}
          </Do>
          <Do call="DELETE /flow/{name}" onClick={() => setAsked(true)}>
            {words.delete_}
          </Do>
        </span>
      </div>
      {isPaused ? <p class="notice">{words.holds}</p> : null}
      {error && !asked ? <Problem error={error} /> : null}
      {asked ? (
        <Dialog title={`${words.delete_}: ${plain(name)}`} close={() => setAsked(false)}>
          <p>{words.deleteFlow}</p>
          {error ? <Problem error={error} /> : null}
          <p class="actions">
            <button type="button" onClick={() => setAsked(false)}>
              {words.cancel}
            </button>
            <button type="button" class="danger" onClick={() => change("DELETE", at("flow", name), () => go(["flows"]))}>
              {words.delete_}
            </button>
          </p>
        </Dialog>
      ) : null}
    </>
  );
}

/** A link to a screen that makes a call; disabled, with the reason, if the role may not make it. */
function Go(props: { call: string; href: string; primary?: boolean; children: string }): JSX.Element {
  if (may(props.call))
    return (
      <a class={`button${props.primary ? " primary" : ""}`} href={props.href}>
        {props.children}
      </a>
    );
  return (
    <button type="button" disabled title={words.needsRole(props.call)}>
      {props.children}
    </button>
  );
}

function Picture({ name, version, overlay, set }: { name: string; version: string | null; overlay: Overlay; set: Set }): JSX.Element {
  // Positions are those of the version, and may take a while: they are read once, and counts are laid over them.
  const drawn = useLoad(`flow graph ${name} ${version ?? ""}`, (signal) => call<Graph>("GET", `${at("flow", name)}/graph`, { query: { version, layout: true }, signal }), 0);
  const counts = useLoad(
    `flow ${overlay} ${name} ${version ?? ""}`,
    (signal) => (overlay === "none" ? Promise.resolve(null) : call<Graph>("GET", `${at("flow", name)}/graph`, { query: { version, [overlay === "coverage" ? "visits" : "live"]: RUNS }, signal })),
    overlay === "live" ? 30 : 0,
  );
  const [layout, over] = [drawn.data?.data, counts.data?.data];
  const graph = layout && over ? { ...over, ...(layout.layout ? { layout: layout.layout } : {}) } : layout;
  const found = drawn.error ? drawn : counts;
  return (
    <>
      <div class="filters">
        <span id="overlay" class="faint">
          {words.overlay}
        </span>
        <span class="segments" role="group" aria-labelledby="overlay">
          {(Object.keys(words.overlays) as Overlay[]).map((one) => (
            <button key={one} type="button" aria-pressed={one === overlay} onClick={() => set({ show: one === "none" ? null : one })}>
              {words.overlays[one]}
            </button>
          ))}
        </span>
        {graph?.counted ? <Counted graph={graph} /> : null}
        {graph?.live ? <span class="faint">{words.liveHelp(graph.live.runs, graph.live.more)}</span> : null}
      </div>
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      {graph ? (
        <div class="sheet">
          <Diagram graph={graph} overlay={overlay === "none" ? undefined : overlay} />
        </div>
      ) : found.error ? null : (
        <Skeleton />
      )}
    </>
  );
}

interface TakenRoute {
  step: string;
  label: string;
  target: string;
  times: number;
}

/** Every route of the flow, and how often it was taken. */
export function routesOf(graph: Graph): TakenRoute[] {
  return graph.edges.flatMap((edge) =>
    edge.labels.map((label, n) => ({
      step: edge.source.replace(/^step:/, ""),
      label,
      target: edge.target.startsWith("step:") ? edge.target.slice(5) : (edge.target.split(":")[0] ?? ""),
      times: edge.taken?.[n] ?? 0,
    })),
  );
}

function Counted({ graph }: { graph: Graph }): JSX.Element | null {
  const counted = graph.counted;
  if (!counted) return null;
  const routes = routesOf(graph);
  return (
    <span class="faint">
      {counted.runs ? words.coverageHelp(routes.filter((one) => one.times).length, routes.length, counted.runs, counted.more) : words.coverageNone}
      {counted.partial ? ` ${words.coveragePartial(counted.partial)}` : ""}
    </span>
  );
}

function Coverage({ name, version }: { name: string; version: string | null }): JSX.Element {
  const found = useLoad(`coverage ${name} ${version ?? ""}`, (signal) => call<Graph>("GET", `${at("flow", name)}/graph`, { query: { version, visits: RUNS }, signal }), 0);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton />;
  const graph = found.data.data;
  const routes = routesOf(graph).sort((one, other) => Number(one.times > 0) - Number(other.times > 0));
  const taken = routes.filter((one) => one.times).length;
  return (
    <>
      <p>
        <Counted graph={graph} />
      </p>
      <progress value={taken} max={Math.max(1, routes.length)} aria-label={words.coverage} />
      <div class="scroll">
        <table class="fits">
          <thead>
            <tr>
              <th>{words.step}</th>
              <th>{words.route}</th>
              <th>{words.leads}</th>
              <th>{words.taken}</th>
            </tr>
          </thead>
          <tbody>
            {routes.map((one) => (
              <tr key={`${one.step} ${one.label} ${one.target}`}>
                <td class="name">{plain(one.step)}</td>
                <td>
                  <code>{plain(one.label)}</code>
                </td>
                <td>{plain(one.target)}</td>
                <td>{one.times ? words.takenTimes(one.times) : <span class="badge never">○ {words.neverTaken}</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="faint after">{words.testsHelp}</p>
      <p>
        <Go call="POST /play" href={href(["play", name])}>
          {words.playFlow(name)}
        </Go>
      </p>
    </>
  );
}

function Steps({ flow }: { flow: Definition }): JSX.Element {
  const { name, version } = flow.metadata;
  const found = useLoad(
    `steps ${name} ${version}`,
    async (signal) => (await call<{ explain: Record<string, Explained[]>; graphs: Record<string, Graph> }>("POST", "/analyze", { body: { text: textOf(flow) }, signal })).data,
    0,
  );
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton />;
  const rows = found.data.explain[name] ?? [];
  const graph = found.data.graphs[name];
  if (!rows.length || !graph) return <Empty title={words.flowNoSteps} />;
  return (
    <div class="scroll">
      <table class="explained">
        <thead>
          <tr>
            <th>{words.step}</th>
            <th>{words.inWords}</th>
            <th>{words.deadline}</th>
            <th>{words.retries}</th>
            <th>{words.onTimeout}</th>
            <th>{words.onError}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.step}>
              <td class="name">{plain(row.step)}</td>
              <td class="sentence">{plain(inWords(row, graph).join(" "))}</td>
              <td>
                <SettingText setting={row.timeout} />
              </td>
              <td>
                <SettingText setting={row.retry} />
              </td>
              <td>{plain(row.on_timeout ?? "–")}</td>
              <td>{plain(row.on_error ?? "–")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The value of a setting, and where it comes from. */
function SettingText({ setting }: { setting: Explained["timeout"] }): JSX.Element {
  if (!setting) return <span class="faint">–</span>;
  return (
    <>
      {plain(setting.value)} <span class="faint">{words.settingOf[setting.by] ?? setting.by}</span>
    </>
  );
}

/** What refers to a definition. */
export function UsedBy({ kind, name }: { kind: "flow" | "action"; name: string }): JSX.Element {
  const found = useLoad(`used by ${kind} ${name}`, (signal) => call<{ used_by: { kind: string; name: string; version: number }[]; complete: boolean }>("GET", `${at(kind, name)}/used_by`, { signal }), 0);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton rows={3} />;
  const { used_by: users, complete } = found.data.data;
  const placeOf = (one: { kind: string; name: string }): string =>
    one.kind === "flow" ? href(["flows", one.name]) : one.kind === "action" ? href(["actions", one.name]) : href(["admin"], { tab: `${one.kind}s` });
  return (
    <>
      {users.length ? (
        <ul class="cards">
          {users.map((one) => (
            <li key={`${one.kind} ${one.name}`}>
              <a href={placeOf(one)}>
                <strong>{plain(one.name)}</strong> <span class="faint">{one.kind}</span>
                <span class="faint at-end">{words.versionN(one.version)}</span>
              </a>
            </li>
          ))}
        </ul>
      ) : (
        <Empty title={words.noUsers} />
      )}
      {complete ? null : <p class="faint">{words.usersCut}</p>}
    </>
  );
}

function Versions({ name, found, set }: { name: string; found: Loaded<{ data: Version[] }>; set: Set }): JSX.Element {
  const [pair, setPair] = useState<readonly [number, number] | null>(null);
  const versions = found.data?.data ?? [];
  const numbers = versions.map((one) => one.version);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton />;
  const [from, to] = pair ?? [numbers[1] ?? 0, numbers[0] ?? 0];
  const choose = (label: string, value: number, change: (next: number) => void): JSX.Element => (
    <select aria-label={label} value={String(value)} onChange={(event) => change(Number(event.currentTarget.value))}>
      {numbers.map((one) => (
        <option key={one} value={String(one)}>
          {words.versionN(one)}
        </option>
      ))}
    </select>
  );
  return (
    <>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>{words.version}</th>
              <th>{words.defined}</th>
              <th>{words.by}</th>
              <th>{words.liveRuns}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {versions.map((one) => (
              <tr key={one.version}>
                <td>{one.version}</td>
                <td>
                  <When at={one.created_at} />
                </td>
                <td>{plain(one.created_by)}</td>
                <td>
                  <Live flow={name} version={one.version} />
                </td>
                <td class="actions">
                  <button type="button" onClick={() => set({ version: String(one.version), tab: "text" })}>
                    {words.text}
                  </button>
                  <button type="button" onClick={() => set({ version: String(one.version), tab: "diagram" })}>
                    {words.diagram}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {numbers.length > 1 ? (
        <>
          <div class="filters compare">
            {words.compareWith} {choose(words.compareWith, from, (next) => setPair([next, to]))} {words.with} {choose(words.with, to, (next) => setPair([from, next]))}
          </div>
          <Difference name={name} from={from} to={to} />
        </>
      ) : null}
    </>
  );
}

/** How many runs of the flow are live; of one version, if it is given. */
export function Live({ flow, version }: { flow: string; version?: number }): JSX.Element {
  const found = useLoad(
    `live ${flow} ${version ?? ""}`,
    (signal) => call<{ counts: Record<string, number>; more: boolean }>("GET", "/flowrun/count", { query: { flow, version, status: LIVE, group: "status" }, signal }),
    60,
  );
  if (!found.data) return <span class="faint">{found.error ? "?" : "…"}</span>;
  const { counts, more } = found.data.data;
  const all = Object.values(counts).reduce((sum, one) => sum + one, 0);
  return all ? (
    <a href={href(["runs"], { flow, status: "running", ...(version ? { version: String(version) } : {}) })}>
      {count(all)}
      {more ? "+" : ""}
    </a>
  ) : (
    <span class="faint">0</span>
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
        <pre class="source diff" tabIndex={0}>
          {text.split("\n").map((line, n) => (
            <div key={n} class={line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : ""}>
              {plain(line) || " "}
            </div>
          ))}
        </pre>
      ) : (
        <JsonView value={rest as Json} open={3} />
      )}
    </section>
  );
}
