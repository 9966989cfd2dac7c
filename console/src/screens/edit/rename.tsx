// Give the name at a place of the text another name.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Dialog, Problem } from "../../ui/parts";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import type { Symbol } from "./analysis";

export function Rename({ symbol, rename, close }: { symbol: Symbol; rename: (to: string) => Promise<void>; close: () => void }): JSX.Element {
  const [to, setTo] = useState(symbol.name);
  const [error, setError] = useState<Error | null>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setError(null);
    try {
      await rename(to);
      close();
    } catch (problem) {
      setError(problem as Error);
    }
  };
  return (
    <Dialog title={words.rename(`${symbol.kind.replace("_", " ")} ${plain(symbol.name)}`)} close={close}>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <label>
          {words.renameTo}
          <input autofocus value={to} spellcheck={false} onFocus={(event) => event.currentTarget.select()} onInput={(event) => setTo(event.currentTarget.value)} />
        </label>
        <p class="faint">{words.renamePlaces(symbol.places.length)}</p>
        {error ? <Problem error={error} /> : null}
        <p class="actions">
          <button type="button" onClick={close}>
            {words.cancel}
          </button>
          <button type="submit" class="primary" disabled={!to.trim() || to === symbol.name}>
            {words.renameDo}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
