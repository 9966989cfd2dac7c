// The text of a run's flow, in the version that the run uses.
import type { JSX } from "preact";
import { at, call } from "../../api/client";
import type { Json, Run } from "../../api/types";
import { useLoad } from "../../ui/load";
import { plain } from "../../ui/text";
import { words } from "../../words/en";

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

/** Where a step begins in a text. */
export function lineOfStep(text: string, step: string): { number: number; text: string } | null {
  const lines = text.split("\n");
  const pattern = new RegExp(`^\\s*(step|deci|set|wait|fork|each|call|emit|start)\\s+"?${step.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}"?\\s*=>`, "i");
  const n = lines.findIndex((one) => pattern.test(one));
  return n < 0 ? null : { number: n + 1, text: (lines[n] ?? "").trim() };
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
