// What a run holds: its input, variables and output, as large as they may be.
import type { JSX } from "preact";
import type { Run } from "../../api/types";
import { RemoteValue } from "../../ui/value";
import { words } from "../../words/en";

export function Data({ run, turn }: { run: Run; turn: number }): JSX.Element {
  const name = run.metadata.name;
  const parts = [
    ["input", words.input],
    ["vars", words.variables],
    ["output", words.output],
  ] as const;
  return (
    <>
      {parts.map(([of, label]) => (
        <section key={of}>
          <h3>{label}</h3>
          <RemoteValue source={{ run: name, of }} label={label} turn={turn} />
        </section>
      ))}
    </>
  );
}
