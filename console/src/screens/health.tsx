// What is wrong with runs in progress, and what is due next.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/client";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Dialog, Empty, Problem, Skeleton, useTitle, When } from "../ui/parts";
import { href } from "../ui/router";
import { count, plain } from "../ui/text";
import { words } from "../words/en";

interface Finding {
  ailment: string;
  run: string;
  step: string;
  uuid: string;
  since: string | null;
  detail: string;
  cured: boolean;
}

interface Report {
  findings: Finding[];
  looked_at: number;
  complete: boolean;
}

interface Timer {
  at: string;
  kind: string;
  name: string;
  what: string;
  step: string | null;
}

export function Health(): JSX.Element {
  useTitle(words.health);
  const found = useLoad("doctor", (signal) => call<Report>("GET", "/doctor", { query: { limit: 1000 }, signal }), 30);
  const timers = useLoad("timers", (signal) => call<Timer[]>("GET", "/timer", { query: { limit: 20 }, signal }), 30);
  const [repair, setRepair] = useState(false);
  const report = found.data?.data;
  return (
    <>
      <div class="title">
        <h1>{words.health}</h1>
        {report ? <span class="faint">{words.lookedAt(count(report.looked_at), report.complete)}</span> : null}
        <span class="actions">
          <button type="button" onClick={found.reload}>
            {words.lookAgain}
          </button>
          {may("POST /doctor/repair") && report?.findings.length ? (
            <button type="button" class="primary" onClick={() => setRepair(true)}>
              {words.repair}
            </button>
          ) : null}
        </span>
      </div>
      <div class="columns">
        <section>
          <h2>{words.findings}</h2>
          {found.error ? (
            <Problem error={found.error} retry={found.reload} />
          ) : !report ? (
            <Skeleton />
          ) : report.findings.length ? (
            <Findings findings={report.findings} />
          ) : (
            <Empty title={words.healthy(count(report.looked_at))} />
          )}
        </section>
        <section>
          <h2>{words.dueSoon}</h2>
          {timers.error ? (
            <Problem error={timers.error} retry={timers.reload} />
          ) : timers.data?.data.length ? (
            <ul class="cards">
              {timers.data.data.map((one, n) => (
                <li key={n}>
                  <a href={one.kind === "run" ? href(["runs", one.name]) : href(["admin"], { tab: "schedules" })}>
                    <When at={one.at} /> <strong>{plain(one.name)}</strong>{" "}
                    <span class="faint">
                      {plain(one.step ?? "")} {words.dueWhat[one.what] ?? one.what}
                    </span>
                  </a>
                </li>
              ))}
            </ul>
          ) : (
            <Empty title={words.nothingDue} />
          )}
        </section>
      </div>
      {repair ? (
        <Repair
          close={() => {
            setRepair(false);
            found.reload();
          }}
          findings={report?.findings ?? []}
        />
      ) : null}
    </>
  );
}

function Findings({ findings }: { findings: Finding[] }): JSX.Element {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>{words.finding}</th>
            <th>{words.name}</th>
            <th>{words.step}</th>
            <th>{words.since_}</th>
          </tr>
        </thead>
        <tbody>
          {findings.map((one) => (
            <tr key={`${one.ailment}${one.run}${one.uuid}`}>
              <td>
                <strong>{one.ailment}</strong> <span class="faint">{plain(one.detail)}</span>
              </td>
              <td>
                <a href={href(["runs", one.run])}>{plain(one.run)}</a>
              </td>
              <td>{plain(one.step)}</td>
              <td>
                <When at={one.since} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Repair({ findings, close }: { findings: Finding[]; close: () => void }): JSX.Element {
  const [report, setReport] = useState<Report | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const send = (): void => {
    call<Report>("POST", "/doctor/repair").then((found) => setReport(found.data), setError);
  };
  return (
    <Dialog title={words.repair} close={close} wide>
      <p>{report ? words.repaired(report.findings.filter((one) => one.cured).length) : words.repairWhat}</p>
      <Findings findings={report?.findings ?? findings} />
      {error ? <Problem error={error} /> : null}
      <p class="actions">
        <button type="button" onClick={close}>
          {report ? words.close : words.cancel}
        </button>
        {report ? null : (
          <button type="button" class="primary" onClick={send}>
            {words.repair}
          </button>
        )}
      </p>
    </Dialog>
  );
}
