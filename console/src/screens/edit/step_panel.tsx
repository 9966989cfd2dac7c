// A step as a form: its name, properties and routes. Every act is a change of the text.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { AddStep } from "./add_step";
import type { EditableStep, Operation, StepRoute } from "./analysis";

interface Props {
  step: EditableStep;
  /** Change the text; false if it was refused. `select` is the step that is shown then. */
  change: (operations: Operation[], select?: string | null) => Promise<boolean>;
  refused: string;
  /** The line that cannot be read; 0 if all can. */
  hindered: number;
  toLine: () => void;
  close: () => void;
  /** What is to have the focus: it changes when a key or a button asks for it. */
  focus: { on: "name" | "add" | ""; at: number };
}

export function StepPanel(props: Props): JSX.Element {
  const { step, change, refused, hindered, focus } = props;
  const form = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!focus.on) return;
    const field = form.current?.querySelector<HTMLInputElement>(focus.on === "name" ? "[data-name]" : "[data-add]");
    field?.focus();
    field?.select?.();
    field?.scrollIntoView({ block: "nearest" });
  }, [focus.at]);
  const set = (property: string, value: string | null): Promise<boolean> => change([{ op: "set", step: step.name, property, value }]);
  const rename = async (field: HTMLInputElement): Promise<void> => {
    const to = field.value;
    if (to !== step.name && !(await change([{ op: "rename", step: step.name, to }], to))) field.focus();
  };
  return (
    <section class="step-form" ref={form} aria-label={words.editStep(step.kind, plain(step.name))}>
      <header>
        <h2>
          {plain(step.name)} <span class="faint">{step.kind}</span>
        </h2>
        <button type="button" disabled={hindered > 0} title={words.deleteHelp} onClick={() => void change([{ op: "delete", step: step.name, heal: true }], null)}>
          {words.deleteStep}
        </button>
        <button type="button" class="quiet" aria-label={words.closePanel} onClick={props.close}>
          ✕
        </button>
      </header>
      {hindered ? (
        <p class="banner">
          {words.hinders(hindered)}{" "}
          <button type="button" onClick={props.toLine}>
            {words.toLine}
          </button>
        </p>
      ) : null}
      {refused ? (
        <p class="error" role="alert">
          {plain(refused)}
        </p>
      ) : null}
      <fieldset disabled={hindered > 0} class="bare">
        <label>
          {words.stepName} <kbd>F2</kbd>
          <input data-name key={step.name} defaultValue={step.name} onChange={(event) => void rename(event.currentTarget)} onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()} />
        </label>
        <Properties step={step} set={set} />
        <Routes step={step} change={change} />
        <AddStep step={step} change={change} />
      </fieldset>
    </section>
  );
}

function Properties({ step, set }: { step: EditableStep; set: (property: string, value: string | null) => Promise<boolean> }): JSX.Element {
  const [more, setMore] = useState<string[]>([]);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => setMore([]), [step.name]);
  useEffect(() => {
    if (more.length) list.current?.querySelector<HTMLTextAreaElement>("[data-new]:last-of-type textarea")?.focus();
  }, [more]);
  const shown = step.properties.filter((one) => one.value !== null);
  const added = step.properties.filter((one) => one.value === null && more.includes(one.name));
  const others = step.properties.filter((one) => one.value === null && !more.includes(one.name));
  return (
    <div ref={list}>
      <h3>{words.properties}</h3>
      {[...shown, ...added].map((one) => (
        <div class="property" key={one.name} {...(one.value === null ? { "data-new": "" } : {})}>
          <label>
            <code>{one.name}</code>
            <Value key={`${step.name} ${one.value ?? ""}`} label={words.propertyValue(one.name)} about={one.about} value={one.value ?? ""} set={(value) => set(one.name, value || null)} />
          </label>
          <button type="button" class="quiet" aria-label={words.removeProperty(one.name)} onClick={() => (one.value === null ? setMore(more.filter((name) => name !== one.name)) : void set(one.name, null))}>
            ✕
          </button>
        </div>
      ))}
      {others.length ? (
        <select class="more" aria-label={words.addProperty} value="" onChange={(event) => setMore([...more, event.currentTarget.value])}>
          <option value="" disabled>
            {words.addProperty}
          </option>
          {others.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name} – {one.about}
            </option>
          ))}
        </select>
      ) : null}
    </div>
  );
}

/** A value as FSL. It is set when the field is left, or with Enter. */
function Value({ label, about, value, set }: { label: string; about: string; value: string; set: (value: string) => Promise<boolean> }): JSX.Element {
  const done = (event: Event): void => {
    const field = event.currentTarget as HTMLTextAreaElement;
    if (field.value.trim() !== value) void set(field.value.trim());
  };
  const enter = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    (event.currentTarget as HTMLTextAreaElement).blur();
  };
  return <textarea aria-label={label} title={about} spellcheck={false} rows={Math.min(6, value.split("\n").length)} defaultValue={value} onBlur={done} onKeyDown={enter} />;
}

/** How a route is written before its arrow. */
export function labelOf(route: StepRoute): string {
  return [route.states.join(", "), route.when === null ? "" : `when ${route.when}`].filter(Boolean).join(" ");
}

/** The state and condition that name a route. */
function routeOf(step: EditableStep, route: StepRoute): Operation {
  const [state] = route.states;
  return { op: "route", step: step.name, ...(state === undefined ? {} : { state }), ...(route.when === null ? {} : { when: route.when }) };
}

/** One operation for each state of a route: a route of several states is changed as a whole. */
function eachState(step: EditableStep, route: StepRoute, more: Operation): Operation[] {
  const states = route.states.length ? route.states : [null];
  return states.map((state) => ({ ...routeOf(step, route), ...(state === null ? {} : { state }), ...more }));
}

function Routes({ step, change }: { step: EditableStep; change: Props["change"] }): JSX.Element {
  const byData = step.kind === "deci" && !step.properties.some((one) => one.name === "action" && one.value !== null);
  const routed = step.routes.flatMap((one) => (one.when === null ? one.states : []));
  const free = [...(step.states ?? []), "else"].filter((one) => !routed.includes(one));
  const [state, setState] = useState("");
  const [when, setWhen] = useState("");
  const [to, setTo] = useState("");
  const target = step.targets.includes(to) ? to : "done";
  const add = async (event: Event): Promise<void> => {
    event.preventDefault();
    const operation: Operation = { op: "route", step: step.name, to: target };
    if (state) operation["state"] = state;
    if (when.trim()) operation["when"] = when.trim();
    if (await change([operation])) {
      setState("");
      setWhen("");
    }
  };
  const options = step.targets.map((one) => (
    <option key={one} value={one}>
      {plain(one)}
    </option>
  ));
  return (
    <>
      <h3>{words.routes}</h3>
      <ul class="routes">
        {step.routes.map((one, n) => (
          <li key={`${labelOf(one)} ${n}`}>
            <code>{plain(labelOf(one))}</code>
            <span aria-hidden="true">→</span>
            <select aria-label={words.routeLeads(labelOf(one))} value={one.to} onChange={(event) => void change(eachState(step, one, { op: "route", to: event.currentTarget.value }))}>
              {step.targets.includes(one.to) ? null : <option value={one.to}>{plain(one.to)}</option>}
              {options}
            </select>
            <button type="button" class="quiet" aria-label={words.removeRoute(labelOf(one))} disabled={step.routes.length < 2} onClick={() => void change(eachState(step, one, { op: "unroute" }))}>
              ✕
            </button>
          </li>
        ))}
      </ul>
      <form class="row-form" aria-label={words.newRoute} onSubmit={(event) => void add(event)}>
        {step.states === null ? (
          <input aria-label={words.routeState} placeholder={words.routeState} value={state} onInput={(event) => setState(event.currentTarget.value)} />
        ) : (
          <select aria-label={words.routeState} value={state} onChange={(event) => setState(event.currentTarget.value)}>
            <option value="">{byData ? words.routeWhen : words.anyState}</option>
            {(when.trim() ? step.states : free).map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )}
        <input aria-label={words.routeWhen} placeholder="$vars.n > 1" spellcheck={false} value={when} onInput={(event) => setWhen(event.currentTarget.value)} />
        <select aria-label={words.routeTarget} value={target} onChange={(event) => setTo(event.currentTarget.value)}>
          {options}
        </select>
        <button type="submit" disabled={!state && !when.trim()}>
          {words.addRoute}
        </button>
      </form>
    </>
  );
}
