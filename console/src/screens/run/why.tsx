// Why a run failed: the step, its error, and the line of FSL.
import type { JSX } from "preact";
import type { Run } from "../../api/types";
import { href } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import type { Command } from "../commands";
import { Do } from "../do";
import { useFlowText, useLineOfStep } from "./flow_text";

export function Why({ run, command }: { run: Run; command: (command: Command) => void }): JSX.Element {
  const error = run.spec.error;
  const text = useFlowText(run);
  const line = useLineOfStep(text, run.spec.flow, error?.step);
  return (
    <section class="why" aria-label={words.why_}>
      <h2>{words.why(plain(error?.step ?? ""))}</h2>
      <p>
        <strong>{plain(error?.name ?? "")}</strong> {plain(error?.cause ?? run.spec.last_err)}
      </p>
      {line ? (
        <pre class="line">
          <span class="faint">{line.number} │ </span>
          {plain(line.text)}
        </pre>
      ) : null}
      <p class="actions">
        <Do call="POST /flowrun/{name}/retry" primary onClick={() => command("retry")}>
          {words.retryFrom(error?.step ?? run.spec.current_state)}
        </Do>
        {run.spec.flow ? (
          <a class="button" href={href(["edit"], { flow: run.spec.flow })}>
            {words.mendFlow}
          </a>
        ) : null}
        {line ? <span class="faint">{words.lineOf(line.number, run.spec.flow)}</span> : null}
      </p>
    </section>
  );
}
