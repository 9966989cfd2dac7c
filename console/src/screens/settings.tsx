// What a person chooses for this computer.
import type { JSX } from "preact";
import { forget } from "../api/session";
import { useTitle } from "../ui/parts";
import { setSettings, settings, type Settings as Chosen } from "../ui/settings";
import { useStore } from "../ui/store";
import { words } from "../words/en";

export function Settings(): JSX.Element {
  const chosen = useStore(settings);
  useTitle(words.settings);
  const select = <K extends keyof Chosen>(name: K, label: string, values: readonly (readonly [Chosen[K], string])[]): JSX.Element => (
    <label>
      {label}
      <select value={String(chosen[name])} onChange={(event) => setSettings({ [name]: values.find(([value]) => String(value) === event.currentTarget.value)?.[0] } as Partial<Chosen>)}>
        {values.map(([value, text]) => (
          <option key={text} value={String(value)}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <>
      <div class="title">
        <h1>{words.settings}</h1>
      </div>
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        {select("theme", words.theme, [
          ["system", words.system],
          ["light", words.light],
          ["dark", words.dark],
        ])}
        {select("time", words.times, [
          ["local", words.local],
          ["utc", "UTC"],
        ])}
        {select("density", words.density, [
          ["normal", words.normal],
          ["compact", words.compact],
        ])}
        {select("refresh", words.refresh, [
          [2, "2 s"],
          [5, "5 s"],
          [15, "15 s"],
          [60, "60 s"],
        ])}
        <label class="check">
          <input type="checkbox" checked={chosen.shortcuts} onChange={(event) => setSettings({ shortcuts: event.currentTarget.checked })} /> {words.shortcuts}
        </label>
        <p class="actions">
          <button type="button" class="danger" onClick={() => confirm(words.forgetWhat) && forget()}>
            {words.forget}
          </button>
        </p>
        <p class="faint">{words.allLocal}</p>
      </form>
    </>
  );
}
