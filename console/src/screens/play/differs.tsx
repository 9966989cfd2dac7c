// Where a replay differs from what was recorded, and at which line of the text.
import type { JSX } from "preact";
import type { Difference, Played } from "../../api/play";
import type { Entry } from "../../api/types";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { useLineOfStep } from "../run/flow_text";

export function Differs({ played, run, text, show }: { played: Played; run: string; text: string; show?: ((step: string) => void) | undefined }): JSX.Element {
  const found = played.differs;
  return (
    <section class={`differs${found ? " other" : ""}`} aria-label={words.playOf(plain(run))} aria-live="polite">
      <h3>{words.playOf(plain(run))}</h3>
      {found ? <Both found={found} flow={played.flow} text={text} show={show} /> : <p>{words.sameSoFar(played.seq)}</p>}
    </section>
  );
}

function Both({ found, flow, text, show }: { found: Difference; flow: string; text: string; show?: ((step: string) => void) | undefined }): JSX.Element {
  const step = found.now?.step || found.recorded?.step || "";
  const line = useLineOfStep(text, flow, step);
  return (
    <>
      <p>
        <strong>{words.differsAt(found.seq)}</strong>{" "}
        {line ? (
          <button type="button" class="quiet" onClick={() => show?.(step)} disabled={!show}>
            {words.atLine(line.number)}
          </button>
        ) : null}
      </p>
      <dl class="args">
        <div>
          <dt>{words.recordedThen}</dt>
          <dd>{found.recorded ? <Line entry={found.recorded} /> : words.nothingNow}</dd>
        </div>
        <div>
          <dt>{words.decidedNow}</dt>
          <dd>{found.now ? <Line entry={found.now} /> : words.nothingNow}</dd>
        </div>
      </dl>
      {line ? <pre class="line">{plain(line.text)}</pre> : null}
      <p class="faint">{words.goesOnHere}</p>
    </>
  );
}

/** One entry in a line: where the token was, what came, and where that led. */
export function Line({ entry }: { entry: Entry }): JSX.Element {
  return (
    <>
      <strong>{plain(entry.step || entry.from)}</strong> {entry.event} {plain(entry.state)} {entry.to ? `→ ${plain(entry.to)}` : ""} <span class="error">{plain(entry.error)}</span>
    </>
  );
}
