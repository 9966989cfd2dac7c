// What a history is filtered by, and a jump to an entry by its number.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import type { Filter } from "./use_history";

const TYPED_MS = 300;
/** Up to how many steps are offered to choose from: each is an element of the page. */
const MAX_OFFERED = 40;

interface Props {
  filter: Filter | null;
  steps: readonly string[];
  last: number;
  set: (changed: Record<string, string | null>) => void;
  show: (seq: number) => void;
  children: ComponentChildren;
}

export function HistoryFilters({ filter, steps, last, set, show, children }: Props): JSX.Element {
  const [text, setText] = useState(filter?.find ?? "");
  const [place, setPlace] = useState("");
  useEffect(() => {
    if (text === (filter?.find ?? "")) return;
    const timer = setTimeout(() => set({ find: text || null }), TYPED_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const jump = (event: Event): void => {
    event.preventDefault();
    const seq = Math.floor(Number(place));
    if (!(seq >= 1)) return;
    if (filter) set({ step: null, token: null, failed: null, find: null, entry: String(Math.min(seq, last)) });
    setText("");
    show(Math.min(seq, last));
  };
  return (
    <form class="filters" onSubmit={jump}>
      <label class="check">
        <input type="checkbox" checked={filter?.failed ?? false} onChange={(event) => set({ failed: event.currentTarget.checked ? "1" : null })} /> {words.failuresOnly}
      </label>
      {steps.length && steps.length <= MAX_OFFERED && !filter?.step ? (
        <select aria-label={words.step} value="" onChange={(event) => set({ step: event.currentTarget.value || null })}>
          <option value="">{words.anyStep}</option>
          {steps.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      ) : null}
      {filter?.step ? <Chip text={filter.step} drop={() => set({ step: null })} /> : null}
      {filter?.token ? <Chip text={words.tokenIs(filter.token)} drop={() => set({ token: null })} /> : null}
      <input data-find class="grow" value={text} placeholder={words.find_} aria-label={words.find_} onInput={(event) => setText(event.currentTarget.value)} />
      <input class="short" inputMode="numeric" pattern="[0-9]*" value={place} placeholder={words.goToEntry} aria-label={words.goToEntry} onInput={(event) => setPlace(event.currentTarget.value)} />
      <span class="faint" role="status">
        {children}
      </span>
      <button type="submit" class="visually-hidden">
        {words.goToEntry}
      </button>
    </form>
  );
}

function Chip({ text, drop }: { text: string; drop: () => void }): JSX.Element {
  return (
    <span class="chip">
      {plain(text)}
      <button type="button" class="quiet" aria-label={words.dropFilter(text)} onClick={drop}>
        ✕
      </button>
    </span>
  );
}
