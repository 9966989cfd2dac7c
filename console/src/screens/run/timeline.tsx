// How long each step took, as bars. Only the rows in view are in the page.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Entry } from "../../api/types";
import { Rows } from "../../ui/rows";
import { count, plain, span } from "../../ui/text";
import { words } from "../../words/en";
import { evenly, visits, withoutIdle } from "./visits";

const ROW = 30;

export function Timeline({ entries, live, select }: { entries: readonly Entry[]; live: boolean; select: (step: string) => void }): JSX.Element {
  const [isShort, setShort] = useState(true);
  const [at, setAt] = useState(-1);
  const end = live ? Date.now() : Date.parse(entries.at(-1)?.at ?? "");
  const found = useMemo(() => visits(entries, end), [entries, live]);
  const scale = useMemo(() => (isShort ? withoutIdle(found) : evenly(found[0]?.begin ?? 0, end)), [found, isShort]);
  const first = entries[0]?.seq ?? 1;
  return (
    <>
      <div class="filters">
        <label class="check">
          <input type="checkbox" checked={isShort} onChange={(event) => setShort(event.currentTarget.checked)} /> {words.hideIdle}
        </label>
        {first > 1 ? <span class="faint">{words.newestOnly(count(first))}</span> : null}
      </div>
      {found.length ? null : <p class="faint">{words.noEntries}</p>}
      <Rows
        label={words.timeline}
        className="timeline"
        count={found.length}
        height={ROW}
        at={at}
        move={setAt}
        open={(row) => select(found[row]?.step ?? "")}
        rowClass={() => "bar"}
        row={(row) => {
          const one = found[row];
          if (!one) return <span role="gridcell" />;
          const from = scale(one.begin) * 100;
          return (
            <>
              <span role="gridcell">
                <button type="button" class="quiet" tabIndex={-1} onClick={() => select(one.step)}>
                  {plain(one.step)}
                </button>
              </span>
              <span role="gridcell">
                <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                  <rect x={from} width={Math.max(0.4, scale(one.end) * 100 - from)} y={2} height={6} class={one.failed ? "failed" : ""} />
                </svg>
              </span>
              <span role="gridcell" class="faint">
                {span(one.end - one.begin)}
              </span>
            </>
          );
        }}
      />
    </>
  );
}
