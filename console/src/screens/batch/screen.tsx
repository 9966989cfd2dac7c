// Commands over many runs: their list, and the report of one. The server works on them, whether a page is open or not.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { at, call } from "../../api/client";
import { useShortcuts } from "../../ui/keys";
import { useLoad } from "../../ui/load";
import { may } from "../../ui/me";
import { Empty, Problem, Skeleton, useTitle, When } from "../../ui/parts";
import { go, href } from "../../ui/router";
import { csvLine, save } from "../../ui/save";
import { count, plain } from "../../ui/text";
import { words } from "../../words/en";
import { Do } from "../do";
import { COMMANDS, failuresOf, isRunning, type Batch, type Result } from "./batch";

const LOOK_S = 1;
const FAILURES = "refused,missing,busy";
const PAGE = 1_000;

function labelOf(batch: Batch): string {
  return COMMANDS.find((one) => one === batch.do) ? words.commands[batch.do as (typeof COMMANDS)[number]] : batch.do;
}

export function Batches(): JSX.Element {
  useTitle(words.batches);
  const found = useLoad("batches", (signal) => call<Batch[]>("GET", "/batch", { query: { limit: 100 }, signal }));
  const batches = found.data?.data;
  return (
    <>
      <div class="title">
        <h1>{words.batches}</h1>
      </div>
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      {!batches ? (
        <Skeleton />
      ) : batches.length ? (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                {[words.command, words.status, words.runs, words.failures, words.by, words.begun].map((one) => (
                  <th key={one}>{one}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {batches.map((one) => (
                <tr key={one.id}>
                  <td>
                    <a class="name" href={href(["batch", one.id])}>
                      {labelOf(one)}
                    </a>
                    {one.dry_run ? <span class="faint"> {words.trial}</span> : null}
                  </td>
                  <td>{one.status}</td>
                  <td>{words.ofTotal(count(one.matched - one.left), count(one.matched))}</td>
                  <td>{count(failuresOf(one))}</td>
                  <td>{plain(one.by)}</td>
                  <td>
                    <When at={one.created_at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <Empty title={words.noBatches}>
          <a class="button" href={href(["runs"])}>
            {words.runs}
          </a>
        </Empty>
      )}
    </>
  );
}

export function BatchScreen({ id }: { id: string }): JSX.Element {
  useTitle(words.batches);
  const [active, setActive] = useState(true);
  const found = useLoad(`batch ${id}`, (signal) => call<Batch>("GET", at("batch", id), { query: { outcome: FAILURES, limit: PAGE }, signal }), active ? LOOK_S : 0);
  const [problem, setProblem] = useState<Error | null>(null);
  const batch = found.data?.data;
  useEffect(() => {
    if (batch) setActive(isRunning(batch));
  }, [batch]);
  const change = (what: "stop" | "continue"): void => {
    setProblem(null);
    call("POST", `${at("batch", id)}/${what}`).then(
      () => found.reload(),
      (error: unknown) => setProblem(error as Error),
    );
  };
  useShortcuts({
    p: () => {
      if (batch && isRunning(batch)) change("stop");
      else if (batch?.status === "stopped") change("continue");
    },
  });
  if (!batch) return found.error ? <Problem error={found.error} retry={found.reload} /> : <Skeleton />;
  const failed = (batch.results ?? []).filter((one) => one.outcome !== "done" && one.outcome !== "would");
  const again = (): void => {
    call<Batch>("POST", "/batch", { body: { select: { names: failed.map((one) => one.run) }, do: batch.do, with: batch.with, rate: batch.rate } }).then(
      (next) => go(["batch", next.data.id]),
      (error: unknown) => setProblem(error as Error),
    );
  };
  return (
    <>
      <div class="title">
        <h1>{words.batchTitle(labelOf(batch), batch.matched)}</h1>
        <span class="chip">{batch.status}</span>
        <span class="faint">
          {words.byWhom(plain(batch.by || "–"))} · <When at={batch.created_at} /> · {words.aSecond(batch.rate)}
        </span>
        <span class="actions">
          {isRunning(batch) ? (
            <Do call="POST /batch/{batch_id}/stop" onClick={() => change("stop")}>
              {words.stop}
            </Do>
          ) : null}
          {batch.status === "stopped" && batch.left ? (
            <Do call="POST /batch/{batch_id}/continue" primary onClick={() => change("continue")}>
              {words.goOn(count(batch.left))}
            </Do>
          ) : null}
          <button type="button" onClick={() => void report(batch).catch((error: unknown) => setProblem(error as Error))}>
            CSV
          </button>
        </span>
      </div>
      <p class="chips">
        {Object.entries(batch.select).map(([name, value]) => (
          <span key={name} class="chip">
            {name}: {plain(Array.isArray(value) ? value.map(String).join(", ") : String(value))}
          </span>
        ))}
      </p>
      <progress max={Math.max(1, batch.matched)} value={batch.matched - batch.left} aria-label={words.progress} />
      <p aria-live="polite">
        {words.progressOf(batch.dry_run ? batch.would : batch.done, failuresOf(batch), batch.matched, batch.dry_run)}
        {batch.left ? ` · ${words.leftOver(count(batch.left))}` : ""}
      </p>
      {problem ? <Problem error={problem} /> : null}
      {failed.length ? (
        <section>
          <h2>{words.notDone}</h2>
          <div class="scroll">
            <table>
              <tbody>
                {failed.map((one) => (
                  <tr key={one.run}>
                    <td>
                      <a class="name" href={href(["runs", one.run])}>
                        {plain(one.run)}
                      </a>
                    </td>
                    <td>{one.outcome}</td>
                    <td>{plain(one.reason)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {isRunning(batch) || !may("POST /batch") || Object.values(batch.with).includes("***") ? null : (
            <p>
              <button type="button" onClick={again}>
                {words.tryAgainThese(count(failed.length))}
              </button>
            </p>
          )}
        </section>
      ) : null}
    </>
  );
}

/** Save what became of each run. */
async function report(batch: Batch): Promise<void> {
  const lines = [csvLine(["run", "outcome", "reason"])];
  let cursor: string | null = null;
  do {
    const found: { data: Batch; cursor: string | null } = await call<Batch>("GET", at("batch", batch.id), { query: { limit: PAGE, cursor } });
    lines.push(...(found.data.results ?? []).map((one: Result) => csvLine([one.run, one.outcome, one.reason])));
    cursor = found.cursor;
  } while (cursor);
  save(`${batch.do}-${batch.id}.csv`, lines);
}
