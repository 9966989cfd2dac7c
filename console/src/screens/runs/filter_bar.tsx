// The filters of a list of runs, and the field that finds a run by its name, a uuid or a filter.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../../api/client";
import { go } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { FILTERS, givenFilters, STATUSES, without } from "./filters";

export function FilterBar({ query }: { query: URLSearchParams }): JSX.Element {
  const [text, setText] = useState("");
  const set = (name: string, value: string): void => {
    const next = new URLSearchParams(query);
    if (name === "label") next.append(name, value);
    else if (value) next.set(name, value);
    else next.delete(name);
    go(["runs"], next);
  };
  const find = async (event: Event): Promise<void> => {
    event.preventDefault();
    const wanted = text.trim();
    const [, name = "", value = ""] = /^([a-z_]+)[:=](.+)$/.exec(wanted) ?? [];
    setText("");
    if ((FILTERS as readonly string[]).includes(name)) set(name, value);
    else if (/^[^:\s]+:[^:\s]+$/.test(wanted)) set("label", wanted);
    else if (wanted) await openOr(wanted, () => set("name_prefix", wanted));
  };
  return (
    <form class="filters" onSubmit={(event) => void find(event)}>
      <select aria-label={words.status} value={query.get("status") ?? ""} onChange={(event) => set("status", event.currentTarget.value)}>
        <option value="">
          {words.status}: {words.all}
        </option>
        {STATUSES.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <select aria-label={words.since} value={query.get("since") ?? ""} onChange={(event) => set("since", event.currentTarget.value)}>
        <option value="">
          {words.since}: {words.all}
        </option>
        {["1h", "24h", "7d", "30d"].map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <label class="inline">
        {words.begunUntil}
        <input type="datetime-local" value={localOf(query.get("until"))} onChange={(event) => set("until", event.currentTarget.value ? new Date(event.currentTarget.value).toISOString() : "")} />
      </label>
      <input data-find class="grow" value={text} placeholder={words.filterHelp} aria-label={words.filterHelp} onInput={(event) => setText(event.currentTarget.value)} />
      <ul class="chips">
        {givenFilters(query).map(([name, value]) => (
          <li key={`${name}=${value}`}>
            {name}: {plain(value)}
            <button type="button" class="quiet" aria-label={words.dropFilter(name)} onClick={() => go(["runs"], without(query, name, value))}>
              ✕
            </button>
          </li>
        ))}
      </ul>
    </form>
  );
}

/** Open the run with that name, or the run of the step with that uuid; else do something else. */
async function openOr(wanted: string, otherwise: () => void): Promise<void> {
  const found = await call<unknown[]>("GET", "/flowrun", { query: { "metadata.name": wanted, view: "summary" } }).catch(() => null);
  if (found?.data.length) return go(["runs", wanted]);
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(wanted)) {
    const step = await call<{ metadata: { name: string }; spec: { flow_id: string } }>("GET", at("step", wanted)).catch(() => null);
    if (step) return go(["runs", step.data.spec.flow_id], { find: null, step: step.data.metadata.name });
  }
  otherwise();
}

/** A moment as the field for times has it: in local time, to the minute. */
function localOf(iso: string | null): string {
  if (!iso || Number.isNaN(Date.parse(iso))) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
