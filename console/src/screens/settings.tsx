// What a person chooses for this computer. Nothing of it is sent.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { forget, identities } from "../api/session";
import { Dialog, useTitle } from "../ui/parts";
import { setSettings, settings, type Settings as Chosen } from "../ui/settings";
import { useStore } from "../ui/store";
import { words } from "../words/en";

const seconds = (values: readonly number[]): [number, string][] => values.map((one) => [one, `${one} s`]);

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
        <span class="faint">{words.allLocal}</span>
      </div>
      <form class="settings" onSubmit={(event) => event.preventDefault()}>
        <section>
          <h2>{words.looks}</h2>
          <label>
            {words.language}
            <select>
              <option>{words.english}</option>
            </select>
          </label>
          {select("theme", words.theme, [
            ["system", words.system],
            ["light", words.light],
            ["dark", words.dark],
          ])}
          {select("density", words.density, [
            ["normal", words.normal],
            ["compact", words.compact],
          ])}
          {select("time", words.times, [
            ["local", words.local],
            ["utc", "UTC"],
          ])}
        </section>
        <section>
          <h2>{words.behaves}</h2>
          {select("refresh", words.refresh, seconds([2, 5, 15, 60]))}
          {select("undo", words.undoFor, [[0, words.atOnce], ...seconds([5, 10, 30])])}
          <label class="check">
            <input type="checkbox" checked={chosen.shortcuts} onChange={(event) => setSettings({ shortcuts: event.currentTarget.checked })} /> {words.shortcuts}
          </label>
          <p class="faint">{words.shortcutsHelp}</p>
        </section>
        <section>
          <h2>{words.thisComputer}</h2>
          <Forget />
        </section>
      </form>
    </>
  );
}

function drafts(): number {
  return Object.keys(localStorage).filter((key) => key.startsWith("echoer.draft ")).length;
}

/** Delete everything that is kept here; drafts only after a question. */
function Forget(): JSX.Element {
  const [asked, setAsked] = useState(false);
  const known = useStore(identities).filter((one) => one.token);
  return (
    <>
      <p class="faint">{words.kept(known.length, drafts())}</p>
      <p class="actions">
        <button type="button" class="danger" onClick={() => setAsked(true)}>
          {words.forget}
        </button>
      </p>
      {asked ? (
        <Dialog title={words.forget} close={() => setAsked(false)}>
          <p>{words.forgetWhat}</p>
          <p>
            <strong>{words.forgetAsk(drafts())}</strong>
          </p>
          <p class="actions">
            <button type="button" onClick={() => setAsked(false)}>
              {words.cancel}
            </button>
            <button type="button" class="danger" onClick={forget}>
              {words.forget}
            </button>
          </p>
        </Dialog>
      ) : null}
    </>
  );
}
