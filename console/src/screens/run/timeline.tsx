// How long each step took, as bars.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Entry } from "../../api/types";
import { count, plain, span } from "../../ui/text";
import { words } from "../../words/en";

const MAX_BARS = 500;

/** How long each step took. Idle time is not hidden: the bars show where a run waited. */
export function Timeline({ entries, live, select }: { entries: readonly Entry[]; live: boolean; select: (step: string) => void }): JSX.Element {
  const begin = Date.parse(entries[0]?.at ?? "");
  const end = live ? Date.now() : Date.parse(entries.at(-1)?.at ?? "");
  const bars = useMemo(() => visits(entries, end), [entries, live]);
  const total = Math.max(1, end - begin);
  const first = entries[0]?.seq ?? 1;
  return (
    <>
      {first > 1 ? <p class="faint">{words.newestOnly(count(first))}</p> : null}
      <ul class="timeline">
        {bars.slice(0, MAX_BARS).map((one, n) => (
          <li key={n}>
            <button type="button" class="quiet" onClick={() => select(one.step)}>
              {plain(one.step)}
            </button>
            <svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={`${one.step} ${span(one.end - one.begin)}`}>
              <rect x={((one.begin - begin) / total) * 100} width={Math.max(0.4, ((one.end - one.begin) / total) * 100)} y={2} height={6} class={one.failed ? "failed" : ""} />
            </svg>
            <span class="faint">{span(one.end - one.begin)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

interface Visit {
  step: string;
  begin: number;
  end: number;
  failed: boolean;
}

/** The visits of steps: from the entry that led there to the one that left it. */
export function visits(entries: readonly Entry[], end: number): Visit[] {
  const open = new Map<string, Visit>();
  const found: Visit[] = [];
  for (const one of entries) {
    const at = Date.parse(one.at);
    const left = open.get(`${one.token} ${one.step}`);
    if (left && one.to) {
      left.end = at;
      left.failed = ["ERROR", "TIMEOUT"].includes(one.state);
      open.delete(`${one.token} ${one.step}`);
    }
    if (one.to && !["done", "stopped"].includes(one.to)) {
      const visit = { step: one.to, begin: at, end: at, failed: false };
      found.push(visit);
      open.set(`${one.token} ${one.to}`, visit);
    }
  }
  for (const visit of open.values()) visit.end = end;
  return found;
}
