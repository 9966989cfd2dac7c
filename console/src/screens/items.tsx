// The items of an each: counts first, then the items by status, a page at a time.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../api/client";
import type { Json } from "../api/types";
import { JsonView } from "../ui/json";
import { useLoad } from "../ui/load";
import { Problem, Skeleton, When } from "../ui/parts";
import { count, plain } from "../ui/text";
import { words } from "../words/en";

interface ItemPage {
  total: number;
  done: number;
  failed: number;
  running: number;
  items: { index: number; token: string; status: string; step: string; error: string; output: Json; since: string | null }[];
}

export function Items({ run, steps }: { run: string; steps: string[] }): JSX.Element {
  const [step, setStep] = useState(steps[0] ?? "");
  const [status, setStatus] = useState("");
  const found = useLoad(`items ${run} ${step} ${status}`, (signal) => call<ItemPage>("GET", `${at("flowrun", run)}/items`, { query: { step, status, limit: 200 }, signal }));
  const page = found.data?.data;
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!page) return <Skeleton />;
  return (
    <>
      <div class="filters">
        {steps.length > 1 ? (
          <select aria-label={words.steps} value={step} onChange={(event) => setStep(event.currentTarget.value)}>
            {steps.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        ) : null}
        <select aria-label={words.status} value={status} onChange={(event) => setStatus(event.currentTarget.value)}>
          <option value="">{words.all}</option>
          {["failed", "running", "done"].map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <span class="faint">{words.itemsOf(count(page.done), count(page.failed), count(page.running), count(page.total))}</span>
      </div>
      <progress max={page.total} value={page.done + page.failed} aria-label={words.progress} />
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>#</th>
              <th>{words.status}</th>
              <th>{words.at}</th>
              <th>{words.since_}</th>
              <th>{words.error}</th>
              <th>{words.output}</th>
            </tr>
          </thead>
          <tbody>
            {page.items.map((one) => (
              <tr key={one.index}>
                <td>{one.index}</td>
                <td>{one.status}</td>
                <td>{plain(one.step ?? "")}</td>
                <td>
                  <When at={one.since} />
                </td>
                <td class="error">{plain(one.error ?? "")}</td>
                <td>{one.output === null || one.output === undefined ? "" : <JsonView value={one.output} open={0} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
