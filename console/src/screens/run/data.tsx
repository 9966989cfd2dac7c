// What a run holds: its input, variables and output.
import type { JSX } from "preact";
import type { Run } from "../../api/types";
import { JsonView } from "../../ui/json";
import { words } from "../../words/en";

export function Data({ run }: { run: Run }): JSX.Element {
  return (
    <>
      <h3>{words.input}</h3>
      <JsonView value={run.spec.input ?? null} />
      <h3>{words.variables}</h3>
      <JsonView value={run.spec.global_variable ?? {}} />
      <h3>{words.output}</h3>
      <JsonView value={run.spec.output ?? null} />
    </>
  );
}
