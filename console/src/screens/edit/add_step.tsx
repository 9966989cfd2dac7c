// The form that adds a step after another one, or into one that holds steps.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import type { EditableStep, Operation } from "./analysis";

/** What makes a step of a kind, and an example of it. */
const MADE_BY: Record<string, [string, string] | undefined> = {
  step: ["action", "charge"],
  deci: ["action", "review"],
  set: ["save", "(count = 1)"],
  wait: ["for", "1h"],
  each: ["items", "${ $input.items }"],
  call: ["flow", "invoice"],
  emit: ["event", "order.paid"],
  start: ["flow", "report"],
};

interface Props {
  step: EditableStep;
  change: (operations: Operation[], select?: string | null) => Promise<boolean>;
}

export function AddStep({ step, change }: Props): JSX.Element {
  const [kind, setKind] = useState("step");
  const [name, setName] = useState("");
  const [on, setOn] = useState("");
  const [value, setValue] = useState("");
  useEffect(() => setOn(""), [step.name]);
  const made = MADE_BY[kind];
  const states = [...new Set([...step.routes.flatMap((one) => one.states), ...(step.states ?? [])])];
  const add = async (event: Event): Promise<void> => {
    event.preventDefault();
    const given = name.trim();
    const operation: Operation = { op: "add", kind, name: given, after: step.name };
    if (on) operation["on"] = on;
    if (made && value.trim()) operation["properties"] = { [made[0]]: value.trim() };
    // A fork without branches, and an each without steps, cannot run.
    const inner: Operation[] =
      kind === "fork"
        ? ["a", "b"].flatMap((branch) => [
            { op: "add", kind: "branch", name: branch, into: given },
            { op: "add", kind: "set", name: `${given}_${branch}`, into: `${given}/${branch}` },
          ])
        : kind === "each"
          ? [{ op: "add", kind: "set", name: `${given}_item`, into: given }]
          : [];
    if (await change([operation, ...inner], given)) {
      setName("");
      setValue("");
    }
  };
  return (
    <form class="add-step" onSubmit={(event) => void add(event)}>
      <h3>{words.addAfter(plain(step.name))}</h3>
      <div class="row-form">
        <select aria-label={words.stepKind} value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          {Object.entries(words.kinds).map(([one, about]) => (
            <option key={one} value={one}>
              {one} – {about}
            </option>
          ))}
        </select>
        <input data-add aria-label={words.newName} placeholder={words.stepName} required value={name} onInput={(event) => setName(event.currentTarget.value)} />
        {states.length > 1 ? (
          <select aria-label={words.onState} value={on} onChange={(event) => setOn(event.currentTarget.value)}>
            <option value="">{words.firstRoute}</option>
            {states.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        ) : null}
        {made ? <input aria-label={words.stepWhat(made[0])} placeholder={`${made[0]} = ${made[1]}`} spellcheck={false} value={value} onInput={(event) => setValue(event.currentTarget.value)} /> : null}
        <button type="submit" disabled={!name.trim()}>
          {words.addStep}
        </button>
      </div>
    </form>
  );
}
