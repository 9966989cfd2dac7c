// One action: what it is sent and answers, how its deliveries go, its text, and what uses it.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../api/client";
import type { Definition, Json } from "../api/types";
import { JsonView } from "../ui/json";
import { useLoad } from "../ui/load";
import { Problem, Skeleton, Tabs, useTitle, When } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { count, plain, span } from "../ui/text";
import { words } from "../words/en";
import { Do } from "./do";
import { UsedBy } from "./flow";
import { textOf } from "./run/flow_text";

interface Status {
  paused: boolean;
  breaker: { failures: number; open_until: string | null } | null;
  in_flight: number;
  waiting: number;
  counted_runs: number;
  complete: boolean;
  last_hour: { deliveries: number; failures: number; p50_ms: number | null; p95_ms: number | null } | null;
}

type Action = Definition & { status?: Status };

export function ActionScreen({ name }: { name: string }): JSX.Element {
  useTitle(name);
  const tab = usePlace().query.get("tab") ?? "overview";
  const found = useLoad(`action ${name}`, (signal) => call<Action>("GET", at("action", name), { signal }), 10);
  const [error, setError] = useState<Error | null>(null);
  if (found.error && !found.data) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton />;
  const action = found.data.data;
  const isPaused = Boolean(action.status?.paused);
  const hold = (verb: "pause" | "continue"): void => {
    setError(null);
    call("POST", `${at("action", name)}/${verb}`).then(found.reload, (problem: unknown) => setError(problem as Error));
  };
  return (
    <>
      <div class="title">
        <h1>{plain(name)}</h1>
        <span class="faint">{words.versionN(action.metadata.version)}</span>
        {isPaused ? <span class="badge paused">⏸ {words.tilePaused}</span> : null}
        <span class="actions">
          <Do call={`POST /action/{name}/${isPaused ? "continue" : "pause"}`} primary={isPaused} onClick={() => hold(isPaused ? "continue" : "pause")}>
            {isPaused ? words.continue_ : words.pause}
          </Do>
          <a class="button" href={href(["edit"], { action: name })}>
            {words.edit}
          </a>
        </span>
      </div>
      {error ? <Problem error={error} /> : null}
      <Tabs
        label={name}
        at={tab}
        go={(next) => go(["actions", name], next === "overview" ? {} : { tab: next }, true)}
        tabs={[
          ["overview", words.overview],
          ["text", words.text],
          ["used", words.usedBy],
          ["data", "JSON"],
        ]}
      />
      {tab === "overview" ? <Overview action={action} /> : null}
      {tab === "text" ? (
        <pre class="source" tabIndex={0}>
          {plain(textOf(action))}
        </pre>
      ) : null}
      {tab === "used" ? <UsedBy kind="action" name={name} /> : null}
      {tab === "data" ? <JsonView value={action as unknown as Json} open={3} /> : null}
    </>
  );
}

function Overview({ action }: { action: Action }): JSX.Element {
  const { spec, status } = action;
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
  const args = Object.entries((spec["args"] as Record<string, string> | null | undefined) ?? {});
  return (
    <div class="columns">
      <section>
        <h2>{words.definition}</h2>
        <dl class="args">
          <Fact name={words.method}>{String(spec["method"] ?? "")}</Fact>
          {list(spec["endpoints"]).length ? (
            <Fact name={words.address}>
              {list(spec["endpoints"]).map((one) => (
                <code key={one} class="line">
                  {plain(one)}
                </code>
              ))}
            </Fact>
          ) : null}
          <Fact name={words.args}>{args.length ? args.map(([name, type]) => `${type} ${plain(name)}`.trim()).join(", ") : words.anyArgs}</Fact>
          <Fact name={words.answersWith}>
            {list(spec["return_states"]).map((one) => (
              <code key={one} class="chip">
                {plain(one)}
              </code>
            ))}
          </Fact>
        </dl>
      </section>
      {status ? (
        <section>
          <h2>{words.deliveries}</h2>
          <dl class="args">
            <Fact name={words.inFlight}>{count(status.in_flight)}</Fact>
            <Fact name={words.waitingToSend}>
              {count(status.waiting)} <span class="faint">{words.ofLiveRuns(status.counted_runs, status.complete)}</span>
            </Fact>
            <Fact name={words.breaker}>
              <Breaker breaker={status.breaker} />
            </Fact>
            <Fact name={words.lastHour}>
              {status.last_hour ? (
                <>
                  {words.lastHourOf(status.last_hour.deliveries, status.last_hour.failures)}
                  {status.last_hour.p50_ms !== null ? <span class="faint"> {words.latency(span(status.last_hour.p50_ms), span(status.last_hour.p95_ms ?? status.last_hour.p50_ms))}</span> : null}
                </>
              ) : (
                <span class="faint">{words.noLog}</span>
              )}
            </Fact>
          </dl>
        </section>
      ) : null}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Breaker({ breaker }: { breaker: Status["breaker"] }): JSX.Element {
  if (!breaker) return <span class="faint">–</span>;
  if (breaker.open_until)
    return (
      <span class="error">
        {words.breakerOpen} <When at={breaker.open_until} />
      </span>
    );
  return (
    <>
      {words.breakerClosed} <span class="faint">{words.breakerFailures(breaker.failures)}</span>
    </>
  );
}
