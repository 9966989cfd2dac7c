// What is wrong with runs in progress, and what is due next.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { call, type Answer } from "../api/client";
import type { RunSummary } from "../api/types";
import { Countdown } from "../ui/countdown";
import { useShortcuts } from "../ui/keys";
import { useLoad, type Loaded } from "../ui/load";
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

const LOOKED_AT = 1000;
const DUE = 500;
const HOURS = 24;
const HOUR_MS = 3_600_000;

/** What sending messages again can repair. */
const REPAIRABLE = ["alarm", "delivery", "silent", "child", "schedule", "batch", "letter", "task"];
const OVERDUE = ["alarm", "delivery", "schedule"];

export function isOverdue(one: Finding): boolean {
  return OVERDUE.includes(one.ailment);
}

export function useDoctor(): Loaded<Answer<Report>> {
  return useLoad("doctor", (signal) => call<Report>("GET", "/doctor", { query: { limit: LOOKED_AT }, signal }), 30);
}

export function Health(): JSX.Element {
  useTitle(words.health);
  const found = useDoctor();
  const [repair, setRepair] = useState(false);
  const report = found.data?.data;
  useShortcuts({ r: found.reload });
  return (
    <>
      <div class="title">
        <h1>{words.health}</h1>
        {report ? <span class="faint">{words.lookedAt(count(report.looked_at), report.complete)}</span> : null}
        <span class="actions">
          <button type="button" title="r" disabled={found.loading} onClick={found.reload}>
            {words.lookAgain}
          </button>
          {may("POST /doctor/repair") && report?.findings.length ? (
            <button type="button" class="primary" onClick={() => setRepair(true)}>
              {words.repair} …
            </button>
          ) : null}
        </span>
      </div>
      {report ? <Ailments report={report} /> : null}
      <div class="columns">
        <section>
          <h2>{words.findings}</h2>
          {found.error && !report ? (
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
          <Due />
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

/** How many findings there are of each kind. */
function Ailments({ report }: { report: Report }): JSX.Element | null {
  const kinds = new Map<string, number>();
  for (const one of report.findings) kinds.set(one.ailment, (kinds.get(one.ailment) ?? 0) + 1);
  if (kinds.size < 2) return null;
  return (
    <ul class="chips ailments">
      {[...kinds].map(([kind, times]) => (
        <li key={kind}>
          {words.ailments[kind] ?? kind}: <strong>{count(times)}</strong>
        </li>
      ))}
    </ul>
  );
}

function Due(): JSX.Element {
  const timers = useLoad("timers", (signal) => call<Timer[]>("GET", "/timer", { query: { limit: 20 }, signal }), 30);
  return (
    <>
      <h2>{words.dueSoon}</h2>
      <Hours />
      {timers.error && !timers.data ? (
        <Problem error={timers.error} retry={timers.reload} />
      ) : timers.data?.data.length ? (
        <ul class="cards due">
          {timers.data.data.map((one) => (
            <li key={`${one.kind} ${one.name} ${one.at}`}>
              <a href={one.kind === "run" ? href(["runs", one.name]) : href(["admin"], { tab: "schedules" })}>
                <Countdown at={one.at} passed={() => setTimeout(timers.reload, 1500)} />
                <strong>{plain(one.name)}</strong>
                <span>
                  {plain(one.step ?? "")} <span class="faint">{words.dueWhat[one.what] ?? one.what}</span>
                </span>
              </a>
            </li>
          ))}
        </ul>
      ) : timers.loading && !timers.data ? (
        <Skeleton rows={4} />
      ) : (
        <Empty title={words.nothingDue} />
      )}
    </>
  );
}

/** How many runs have their next deadline in each of the next 24 hours. */
export function byHour(deadlines: readonly string[], now: number): number[] {
  const hours = Array.from({ length: HOURS }, () => 0);
  for (const one of deadlines) {
    const hour = Math.max(0, Math.floor((Date.parse(one) - now) / HOUR_MS));
    if (hour < HOURS) hours[hour] = (hours[hour] ?? 0) + 1;
  }
  return hours;
}

function Hours(): JSX.Element | null {
  const found = useLoad(
    "due in 24 h",
    async (signal) => {
      const now = Date.now();
      const due = await call<RunSummary[]>("GET", "/flowrun", { query: { due_before: new Date(now + HOURS * HOUR_MS).toISOString(), view: "summary", limit: DUE }, signal });
      return { now, deadlines: due.data.map((one) => one.spec.next_deadline).filter((one) => one !== null), more: due.cursor !== null };
    },
    120,
  );
  if (!found.data?.deadlines.length) return null;
  const { now, deadlines, more } = found.data;
  const hours = byHour(deadlines, now);
  const most = Math.max(...hours);
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  return (
    <figure class="hours">
      <svg viewBox="0 0 240 48" role="img" aria-label={`${words.next24h}: ${words.next24hCount(deadlines.length, more)}`} preserveAspectRatio="none">
        {hours.map((one, n) => (
          <rect key={n} x={n * 10 + 1} y={one ? 46 - Math.max(3, (one / most) * 44) : 45} width={8} height={one ? Math.max(3, (one / most) * 44) : 1} class={one ? "" : "none"}>
            <title>{words.hourBar(one, clock.format(now + n * HOUR_MS))}</title>
          </rect>
        ))}
      </svg>
      <figcaption>
        <span>{words.now_}</span>
        <span>
          {words.next24h}: {words.next24hCount(deadlines.length, more)}
        </span>
        <span>+24 h</span>
      </figcaption>
    </figure>
  );
}

function Findings({ findings }: { findings: Finding[] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={words.findings}>
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
            <tr key={`${one.ailment}${one.run}${one.uuid}`} class={one.cured ? "cured" : ""}>
              <td class="finding">
                <strong>{words.ailments[one.ailment] ?? one.ailment}</strong>
                {one.cured ? <span class="badge succeeded">✓ {words.repairedOne}</span> : null}
                {one.detail ? <span class="faint">{plain(one.detail.slice(0, 200))}</span> : null}
              </td>
              <td>
                <a class="name" href={href(["runs", one.run])}>
                  {plain(one.run)}
                </a>
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

/** Lists first what would be sent again. */
function Repair({ findings, close }: { findings: Finding[]; close: () => void }): JSX.Element {
  const [report, setReport] = useState<Report | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [isBusy, setBusy] = useState(false);
  const some = findings.filter((one) => REPAIRABLE.includes(one.ailment));
  const send = (): void => {
    setBusy(true);
    setError(null);
    call<Report>("POST", "/doctor/repair")
      .then((found) => setReport(found.data), setError)
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={words.repair} close={close} wide>
      {report ? (
        <p role="status">{words.repaired(report.findings.filter((one) => one.cured).length)}</p>
      ) : (
        <>
          <p>
            {some.length ? (
              <>
                <strong>{words.repairable(some.length)}.</strong> {words.repairWhat}
              </>
            ) : (
              words.nothingToRepair
            )}
          </p>
          {some.length && some.length < findings.length ? <p class="faint">{words.notRepairable(findings.length - some.length)}</p> : null}
        </>
      )}
      {report ?? some.length ? <Findings findings={report?.findings ?? some} /> : null}
      {error ? <Problem error={error} /> : null}
      <p class="actions">
        <button type="button" onClick={close}>
          {report ? words.close : words.cancel}
        </button>
        {report ? null : (
          <button type="button" class="primary" disabled={isBusy || !some.length} onClick={send}>
            {words.repair}
          </button>
        )}
      </p>
    </Dialog>
  );
}
