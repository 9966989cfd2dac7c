// The text of a run's flow, in the version that the run uses.
import type { JSX } from "preact";
import { at, call } from "../../api/client";
import type { Json, Run } from "../../api/types";
import { useLoad } from "../../ui/load";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { analyze } from "../edit/analysis";

/** The text of the run's flow, in the version that the run uses; null for a run with steps of its own. */
export function useFlowText(run: Run): string | null {
  const { flow, flow_version } = run.spec;
  const found = useLoad(
    `text ${flow} ${flow_version}`,
    async (signal) => (flow ? textOf((await call<{ spec: Record<string, Json> }>("GET", at("flow", flow), { query: { version: flow_version }, signal })).data) : ""),
    0,
  );
  return found.data || null;
}

export function textOf(definition: { spec: Record<string, unknown> }): string {
  const { text, fsl, data } = definition.spec;
  return String(text ?? fsl ?? data ?? "");
}

/** Where a step of a flow begins in its text; null while that is not known. */
export function useLineOfStep(text: string | null, flow: string, step: string | undefined): { number: number; text: string } | null {
  const found = useLoad(
    `line ${flow} ${step ?? ""} ${text ?? ""}`,
    async (signal) => (text && step ? ((await analyze(text, { signal })).steps.find((one) => one.flow === flow && one.name === step)?.line ?? 0) : 0),
    0,
  );
  const number = found.data;
  return text && number ? { number, text: (text.split("\n")[number - 1] ?? "").trim() } : null;
}

export function FlowText({ run }: { run: Run }): JSX.Element {
  const text = useFlowText(run);
  if (text === null) return <p class="faint">{words.noText}</p>;
  return (
    <pre class="source" tabIndex={0}>
      {text.split("\n").map((line, n) => (
        <div key={n}>
          <span class="faint">{String(n + 1).padStart(4)} </span>
          {plain(line)}
        </div>
      ))}
    </pre>
  );
}
