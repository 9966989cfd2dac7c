// The history of a run as rows, the newest first.
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Entry } from "../../api/types";
import { Problem } from "../../ui/parts";
import { moment, plain, span } from "../../ui/text";
import { words } from "../../words/en";
import { inField } from "../frame";
import { EntryDetail } from "./entry";

const WINDOW = 200;

export function History(props: { name: string; entries: Entry[]; error: Error | null; step: string | null; clear: () => void }): JSX.Element {
  const [failures, setFailures] = useState(false);
  const [text, setText] = useState("");
  const [open, setOpen] = useState<number | null>(null);
  const [from, setFrom] = useState<number | null>(null);
  const wanted = text.toLowerCase();
  const shown = useMemo(
    () =>
      props.entries.filter(
        (one) =>
          (!props.step || one.step === props.step || one.to === props.step) &&
          (!failures || Boolean(one.error) || one.state === "ERROR" || one.state === "TIMEOUT") &&
          (!wanted || `${one.event} ${one.step} ${one.state} ${one.to} ${one.error} ${one.token} ${one.seq}`.toLowerCase().includes(wanted)),
      ),
    [props.entries, props.step, failures, wanted],
  );
  // The newest first; a window of rows, so that a history of any length stays quick.
  const newest = useMemo(() => [...shown].reverse(), [shown]);
  const first = from ?? 0;
  const rows = newest.slice(first, first + WINDOW);
  useEffect(() => setFrom(null), [failures, wanted, props.step]);
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (inField(event.target) || event.ctrlKey || event.metaKey) return;
      const by = { "[": 1, "]": -1 }[event.key];
      if (!by || !newest.length) return;
      const here = newest.findIndex((one) => one.seq === open);
      const next = newest[Math.min(newest.length - 1, Math.max(0, here + by))];
      if (next) setOpen(next.seq);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [newest, open]);
  return (
    <div class="history">
      <div class="filters">
        <label class="check">
          <input type="checkbox" checked={failures} onChange={(event) => setFailures(event.currentTarget.checked)} /> {words.failuresOnly}
        </label>
        {props.step ? (
          <span class="chip">
            {plain(props.step)}
            <button type="button" class="quiet" aria-label={words.dropFilter(props.step)} onClick={props.clear}>
              ✕
            </button>
          </span>
        ) : null}
        <input data-find class="grow" value={text} placeholder={words.find_} aria-label={words.find_} onInput={(event) => setText(event.currentTarget.value)} />
        <span class="faint">
          {shown.length} / {props.entries.length}
        </span>
      </div>
      {props.error ? <Problem error={props.error} /> : null}
      {first > 0 ? (
        <button type="button" class="quiet" onClick={() => setFrom(Math.max(0, first - WINDOW))}>
          {words.newer}
        </button>
      ) : null}
      <ol class="entries">
        {rows.map((one) => (
          <li key={one.seq} class={one.error || one.state === "ERROR" ? "failed" : ""}>
            <button type="button" class="entry" aria-expanded={open === one.seq} onClick={() => setOpen(open === one.seq ? null : one.seq)}>
              <span class="seq">{one.seq}</span>
              <span class="elapsed" title={moment(one.at)}>
                {elapsed(props.entries, one)}
              </span>
              <span class="step">
                {plain(one.step || one.from)}
                {one.token && one.token !== "0" ? <span class="faint"> {plain(one.token)}</span> : null}
              </span>
              <span class="event">
                {one.event}
                {one.state ? <strong> {plain(one.state)}</strong> : null}
                {one.to ? <span> → {plain(one.to)}</span> : null}
                {one.error ? <span class="error"> {plain(one.error.slice(0, 120))}</span> : null}
              </span>
            </button>
            {open === one.seq ? <EntryDetail run={props.name} entry={one} /> : null}
          </li>
        ))}
      </ol>
      {!rows.length && props.entries.length ? <p class="faint">{words.noEntries}</p> : null}
      {first + WINDOW < newest.length ? (
        <button type="button" class="quiet" onClick={() => setFrom(first + WINDOW)}>
          {words.older(newest.length - first - WINDOW)}
        </button>
      ) : null}
    </div>
  );
}

function elapsed(entries: Entry[], one: Entry): string {
  const begin = entries[0];
  return begin ? `+${span(Date.parse(one.at) - Date.parse(begin.at))}` : "";
}
