// What a run has cost, beside what AWS Step Functions asks for the same moves.
import type { JSX } from "preact";
import { at, call } from "../../api/client";
import type { Run } from "../../api/types";
import { useLoad } from "../../ui/load";
import { Problem, Skeleton } from "../../ui/parts";
import { bytes, count, dollars, plain } from "../../ui/text";
import { words } from "../../words/en";

interface Costs {
  writes: number;
  reads: number;
  messages: number;
  pages: number;
  steps: number;
  bytes: number;
  /** Answers by callback, if the server counts them. */
  answers?: number;
  usd: number;
  /** Parts of `usd` by the service of AWS that asks for them, if the server has them. */
  usd_by_service?: Record<string, number>;
  step_functions_usd: number;
  prices: string;
  /** Prices by the kind of workflow, if the server has them. */
  step_functions?: Record<string, unknown>;
}

interface Price {
  name: string;
  usd: number;
  /** Whether it is a part of the one before. */
  isPart?: boolean;
}

export function Cost({ run, turn }: { run: Run; turn: number }): JSX.Element {
  const found = useLoad(`cost ${run.metadata.name} ${turn}`, (signal) => call<Costs>("GET", `${at("flowrun", run.metadata.name)}/cost`, { signal }), 0);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton />;
  const cost = found.data.data;
  const parts: readonly (readonly [string, string])[] = [
    [words.writes_, count(cost.writes)],
    [words.reads, words.atMostSo(count(cost.reads))],
    [words.messagesSent, count(cost.messages)],
    ...(cost.answers === undefined ? [] : [[words.answersByCallback, count(cost.answers)] as const]),
    [words.pagesOf, count(cost.pages)],
    [words.headSize, bytes(cost.bytes)],
    [words.stepsEntered, count(cost.steps)],
  ];
  const others = Object.entries(cost.step_functions ?? {}).flatMap(([kind, price]) => {
    const usd = priceIn(price);
    return usd === null ? [] : [[words.stepFunctionsOf(kind), usd] as const];
  });
  const services = Object.entries(cost.usd_by_service ?? {}).filter(([, usd]) => usd > 0);
  const prices: readonly Price[] = [
    { name: words.product, usd: cost.usd },
    ...services.map(([service, usd]) => ({ name: words.awsServices[service] ?? service, usd, isPart: true })),
    ...(others.length ? others : [[words.stepFunctions, cost.step_functions_usd] as const]).map(([name, usd]) => ({ name, usd })),
  ];
  const highest = Math.max(...prices.map(({ usd }) => usd), Number.MIN_VALUE);
  return (
    <div class="cost">
      <table class="times">
        <tbody>
          {prices.map(({ name, usd, isPart }) => (
            <tr key={name} class={isPart ? "part" : undefined}>
              <th scope="row">{plain(name)}</th>
              <td>
                <span class="time">
                  <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                    <rect x={0} y={1} height={8} width={Math.max(0.5, (usd / highest) * 100)} />
                  </svg>
                  {isPart ? <span>{dollars(usd)}</span> : <strong>{dollars(usd)}</strong>}
                </span>
              </td>
              <td class="faint">{usd > cost.usd && cost.usd > 0 ? words.timesAsMuch(count(Math.round((usd / cost.usd) * 10) / 10)) : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <dl class="args">
        {parts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="faint">{words.costWhat(cost.prices)}</p>
    </div>
  );
}

/** The price in what the server says of a kind of workflow: a number, or a map with `usd`. */
function priceIn(value: unknown): number | null {
  if (typeof value === "number") return value;
  const usd = typeof value === "object" && value !== null ? (value as { usd?: unknown }).usd : null;
  return typeof usd === "number" ? usd : null;
}
