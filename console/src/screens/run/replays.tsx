// What a recorded run can be asked beside its history: how it was, what becomes of it, and what another text would do.
import type { JSX } from "preact";
import { lazy, Suspense } from "preact/compat";
import { useState } from "preact/hooks";
import type { Run } from "../../api/types";
import { may } from "../../ui/me";
import { Skeleton } from "../../ui/parts";
import { href } from "../../ui/router";
import { words } from "../../words/en";
import { LIVE, STOPPED } from "./status";

const Scrubber = lazy(async () => ({ default: (await import("./scrubber")).Scrubber }));
const Ahead = lazy(async () => ({ default: (await import("./ahead")).Ahead }));

export function Replays({ run, last }: { run: Run; last: number }): JSX.Element | null {
  const [shown, setShown] = useState<"scrub" | "ahead" | null>(null);
  if (!may("POST /play") || !last) return null;
  const toggle = (which: "scrub" | "ahead"): void => setShown(shown === which ? null : which);
  const { flow, status } = run.spec;
  return (
    <section class="replays" aria-label={words.scrub}>
      <p class="actions">
        <button type="button" aria-expanded={shown === "scrub"} onClick={() => toggle("scrub")}>
          {words.scrub}
        </button>
        {LIVE.includes(status) ? (
          <button type="button" aria-expanded={shown === "ahead"} onClick={() => toggle("ahead")}>
            {words.ifNothing}
          </button>
        ) : null}
        {flow && STOPPED.includes(status) && may("POST /analyze") ? (
          <a class="button" href={href(["edit"], { flow, run: run.metadata.name })}>
            {words.wouldItSave}
          </a>
        ) : null}
      </p>
      <Suspense fallback={<Skeleton rows={3} />}>
        {shown === "scrub" ? <Scrubber run={run.metadata.name} last={last} close={() => setShown(null)} /> : null}
        {shown === "ahead" ? <Ahead run={run.metadata.name} last={last} /> : null}
      </Suspense>
    </section>
  );
}
