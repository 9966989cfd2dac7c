// How a run was after any entry of its history: the path, the tokens and the variables, decided again by the engine.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { at, call } from "../../api/client";
import { play, type Played, withVisits } from "../../api/play";
import type { Graph } from "../../api/types";
import { Diagram } from "../../ui/diagram";
import { JsonView } from "../../ui/json";
import { useLoad } from "../../ui/load";
import { Problem, Skeleton, Status } from "../../ui/parts";
import { moment, plain } from "../../ui/text";
import { words } from "../../words/en";
import { Line } from "../play/differs";

const WAIT_MS = 120;

export function Scrubber({ run, last, close }: { run: string; last: number; close: () => void }): JSX.Element {
  const [seq, setSeq] = useState(last);
  const asked = useLater(seq);
  const found = useLoad(`scrub ${run} ${asked}`, (signal) => play({ run, upto: asked, moves: [] }, signal), 0);
  const graph = useLoad(`scrub graph ${run}`, async (signal) => (await call<Graph>("GET", `${at("flowrun", run)}/graph`, { query: { layout: true }, signal })).data, 0);
  const [kept, setKept] = useState<Played | null>(null);
  useEffect(() => {
    if (found.data) setKept(found.data);
  }, [found.data]);
  const entry = kept?.history.find((one) => one.seq === seq);
  return (
    <div class="scrubber">
      <div class="filters">
        <button type="button" aria-label={words.earlierEntry} disabled={seq <= 1} onClick={() => setSeq(seq - 1)}>
          ←
        </button>
        <input type="range" min={1} max={last} value={seq} aria-label={words.scrub} aria-valuetext={words.scrubAt(seq, last)} onInput={(event) => setSeq(event.currentTarget.valueAsNumber)} />
        <button type="button" aria-label={words.laterEntry} disabled={seq >= last} onClick={() => setSeq(seq + 1)}>
          →
        </button>
        <span>{words.scrubAt(seq, last)}</span>
        <span class="badge" title={words.recomputedHelp}>
          {words.recomputed}
        </span>
        <button type="button" class="quiet" onClick={close}>
          {words.backToNow}
        </button>
      </div>
      {found.error ? <Problem error={found.error} /> : null}
      {kept?.differs ? (
        <p class="banner">{words.cannotShow}</p>
      ) : kept && !found.error ? (
        <div class="columns">
          <div>
            <p aria-live="polite">
              {entry ? (
                <>
                  <time class="faint" dateTime={entry.at}>
                    {moment(entry.at)}
                  </time>{" "}
                  <Line entry={entry} />
                </>
              ) : null}
            </p>
            <Places played={kept} />
            <h3>{words.variablesThen}</h3>
            <JsonView value={kept.vars} />
          </div>
          {graph.data ? <Diagram graph={withVisits(graph.data, kept)} /> : null}
        </div>
      ) : found.error ? null : (
        <Skeleton rows={4} />
      )}
    </div>
  );
}

/** The tokens: what each waited for. */
function Places({ played }: { played: Played }): JSX.Element {
  if (!played.waits.length) return <Status status={played.status} />;
  return (
    <p>
      {words.tokensThen}{" "}
      {played.waits.map((one) => (
        <span key={`${one.run} ${one.token}`} class="place">
          <strong>{plain(one.step)}</strong> <span class="faint">{one.token === "0" ? "" : one.token}</span>{" "}
        </span>
      ))}
    </p>
  );
}

/** The value, once it has not changed for a moment: a slider that is dragged asks for few places. */
function useLater(value: number): number {
  const [later, setLater] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), WAIT_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return later;
}
