// What becomes of a live run if nothing is done: which deadline rings when, and where it ends.
import type { JSX } from "preact";
import { type Move, play } from "../../api/play";
import { useLoad } from "../../ui/load";
import { Problem, Skeleton, Status } from "../../ui/parts";
import { moment } from "../../ui/text";
import { words } from "../../words/en";
import { Line } from "../play/differs";
import { ENDED } from "./status";

const LOOKS = 30;
const SHOWN = 12;

export function Ahead({ run, last }: { run: string; last: number }): JSX.Element {
  const moves: Move[] = Array.from({ length: LOOKS }, () => ({ clock: { next: true } }));
  const found = useLoad(`ahead ${run} ${last}`, (signal) => play({ run, moves }, signal), 0);
  if (!found.data) return found.error ? <Problem error={found.error} retry={found.reload} /> : <Skeleton rows={3} />;
  const { history, status, differs } = found.data;
  if (differs) return <p class="banner">{words.cannotShow}</p>;
  const ahead = history.filter((one) => one.seq > last);
  const ended = ENDED.includes(status);
  return (
    <>
      <p class="faint">{words.ifNothingHelp}</p>
      {ahead.length ? (
        <ol class="ahead">
          {ahead.slice(0, SHOWN).map((one) => (
            <li key={one.seq}>
              <time dateTime={one.at}>{moment(one.at)}</time> <Line entry={one} />
            </li>
          ))}
          {ahead.length > SHOWN || !ended ? <li class="faint">{words.goesOn}</li> : null}
          {ended ? (
            <li>
              <time dateTime={ahead.at(-1)?.at ?? ""}>{moment(ahead.at(-1)?.at ?? "")}</time> <Status status={status} />
            </li>
          ) : null}
        </ol>
      ) : (
        <p>{words.stays}</p>
      )}
    </>
  );
}
