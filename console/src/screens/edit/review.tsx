// What saving changes; the only way to save. A definition that was changed meanwhile is not overwritten: three texts
// are shown, and what becomes of them is chosen for each definition.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, call, type Diagnostic } from "../../api/client";
import type { Graph } from "../../api/types";
import { Dialog, Problem, Skeleton } from "../../ui/parts";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import type { Analysis } from "./analysis";
import { differences, merged, threeWay } from "./diff";
import { FlowChanges } from "./flow_changes";
import { guarded, newest, type Base, type Bases } from "./draft";

interface Props {
  analysis: Analysis;
  bases: Bases;
  warnings: Diagnostic[];
  /** Whether the analysis is that of the text. */
  isFresh: boolean;
  /** Begin from another version: the text was compared with it. */
  rebase: (key: string, base: Base) => void;
  /** Replace a statement. */
  replace: (span: [number, number], text: string) => void;
  close: (saved: boolean) => void;
}

export function Review({ analysis, isFresh, bases, warnings, rebase, replace, close }: Props): JSX.Element {
  const changes = analysis.statements.filter((one) => one.change && one.change !== "unchanged");
  const kept = guarded(changes);
  const keys = kept.map((one) => one.key);
  const [current, setCurrent] = useState<Bases | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const read = async (): Promise<void> => {
    try {
      setCurrent(Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await newest(key)] as const))));
    } catch (problem) {
      setError(problem as Error);
    }
  };
  useEffect(() => void read(), []);
  const apply = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await call("POST", "/fsl", { text: analysis.text, query: { expect: keys.map((key) => `${key}@${bases[key]?.version ?? 0}`) } });
      close(true);
    } catch (problem) {
      if (problem instanceof ApiError && problem.code === "changed") await read();
      else setError(problem as Error);
      setBusy(false);
    }
  };
  const isStale = (key: string): boolean => Boolean(current?.[key] && current[key].version !== (bases[key]?.version ?? 0));
  const anyStale = keys.some(isStale);
  return (
    <Dialog title={words.review} close={() => close(false)} wide>
      {anyStale ? (
        <p class="banner" role="alert">
          {words.staleHelp}
        </p>
      ) : null}
      {changes.length ? null : <p>{words.noChanges}</p>}
      {current || !keys.length ? (
        <ul class="changes">
          {changes.map((one) => {
            const key = `${one.kind}:${one.name}`;
            const [base, theirs] = [bases[key] ?? { version: 0, text: "" }, current?.[key]];
            const mine = analysis.text.slice(one.span[0], one.span[1]);
            return (
              <li key={key}>
                <strong>
                  {one.kind} {plain(one.name)}
                </strong>{" "}
                {theirs && isStale(key) ? <span class="warn">{theirs.version ? words.staleTitle(theirs.version) : words.staleGone}</span> : one.change}
                {theirs && isStale(key) ? (
                  <ThreeWay mine={mine} base={base.text} theirs={theirs.text} isFresh={isFresh} take={(text) => (text === null ? null : replace(one.span, text), rebase(key, theirs))} />
                ) : keys.includes(key) && base.version ? (
                  <>
                    {one.kind === "flow" && analysis.graphs[one.name] ? <FlowChanges name={one.name} old={base.text} graph={analysis.graphs[one.name] as Graph} /> : null}
                    <Changed old={base.text} now={mine} />
                  </>
                ) : null}
              </li>
            );
          })}
        </ul>
      ) : (
        <Skeleton rows={3} />
      )}
      <p class="faint">{words.keepVersion}</p>
      {warnings.length ? <p>{words.problems(0, warnings.length)}</p> : null}
      {error ? <Problem error={error} /> : null}
      <p class="actions">
        <button type="button" onClick={() => close(false)}>
          {words.cancel}
        </button>
        <button type="button" class="primary" disabled={busy || !isFresh || !changes.length || (keys.length > 0 && !current) || anyStale} onClick={() => void apply()}>
          {words.apply}
        </button>
      </p>
    </Dialog>
  );
}

/** Mine, theirs and what both began from: the parts that differ. `take` gets the text to use; null keeps mine. */
function ThreeWay({ mine, base, theirs, isFresh, take }: { mine: string; base: string; theirs: string; isFresh: boolean; take: (text: string | null) => void }): JSX.Element {
  const both = theirs ? merged(mine, base, theirs) : null;
  return (
    <>
      <div class="scroll">
        <table class="three-way">
          <thead>
            <tr>
              <th scope="col">{words.mine}</th>
              <th scope="col">{words.began}</th>
              <th scope="col">{words.theirs}</th>
            </tr>
          </thead>
          <tbody>
            {threeWay(mine, base, theirs).map((hunk) => (
              <tr key={hunk.line} class={hunk.clash ? "clash" : ""}>
                <Part lines={hunk.mine} changed={hunk.mine.join("\n") !== hunk.base.join("\n")} />
                <td>
                  <span class="faint">
                    {words.atLine(hunk.line)}
                    {hunk.clash ? ` · ${words.clash}` : ""}
                  </span>
                  <Lines lines={hunk.base} />
                </td>
                <Part lines={hunk.theirs} changed={hunk.theirs.join("\n") !== hunk.base.join("\n")} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="actions">
        {theirs ? (
          <button type="button" disabled={!isFresh} onClick={() => take(theirs)}>
            {words.takeTheirs}
          </button>
        ) : null}
        {both !== null && both !== mine && both !== theirs ? (
          <button type="button" class="primary" disabled={!isFresh} onClick={() => take(both)}>
            {words.takeBoth}
          </button>
        ) : null}
        <button type="button" onClick={() => take(null)}>
          {words.keepMine}
        </button>
      </p>
    </>
  );
}

function Part({ lines, changed }: { lines: string[]; changed: boolean }): JSX.Element {
  return (
    <td class={changed ? "changed" : ""}>
      <Lines lines={lines} />
    </td>
  );
}

function Lines({ lines }: { lines: string[] }): JSX.Element {
  return lines.length ? <pre>{lines.map(plain).join("\n")}</pre> : <p class="faint">{words.empty}</p>;
}

function Changed({ old, now }: { old: string; now: string }): JSX.Element {
  return (
    <pre class="source diff">
      {differences(old.split("\n"), now.split("\n")).map(([sign, line], n) => (
        <div key={n} class={sign === "+" ? "added" : sign === "-" ? "removed" : ""}>
          {sign} {plain(line)}
        </div>
      ))}
    </pre>
  );
}
