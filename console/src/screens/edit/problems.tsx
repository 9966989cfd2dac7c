// The problems of the text, with the edits that remove them.
import type { JSX } from "preact";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import type { Analysis, Edit } from "./analysis";
import { offsetOf } from "./units";

const SHOWN = 50;

interface Props {
  analysis: Analysis | null;
  /** Whether the analysis is that of the text. */
  isFresh: boolean;
  show: (from: number, to: number) => void;
  fix: (edit: Edit) => void;
}

export function Problems({ analysis, isFresh, show, fix }: Props): JSX.Element {
  const { text, diagnostics, fixes } = analysis ?? { text: "", diagnostics: [], fixes: [] };
  return (
    <ul class="problems" aria-label={words.problemList}>
      {diagnostics.slice(0, SHOWN).map((one, n) => (
        <li key={n} class={one.severity}>
          <button type="button" class="quiet" onClick={() => show(offsetOf(text, one.line, one.column), offsetOf(text, one.end_line, one.end_column))}>
            {one.line}:{one.column} {plain(one.message)} <code>{one.code}</code>
          </button>
          {fixes
            .filter((given) => given.diagnostic === n && isFresh)
            .map((given) => (
              <button key={given.title} type="button" onClick={() => fix({ from: given.span[0], to: given.span[1], insert: given.insert })}>
                {plain(given.title)}
              </button>
            ))}
        </li>
      ))}
    </ul>
  );
}
