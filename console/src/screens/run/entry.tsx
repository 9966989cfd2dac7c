// One entry of a history: who caused it, its data, what was sent and how the deliveries ended.
import type { JSX } from "preact";
import { at, call } from "../../api/client";
import type { Entry, Json } from "../../api/types";
import { JsonView } from "../../ui/json";
import { useLoad } from "../../ui/load";
import { moment, plain, span } from "../../ui/text";
import { words } from "../../words/en";

interface ActivationView {
  args: Record<string, Json>;
  headers: Record<string, string>;
  action: string;
  deliveries: { at: string; address: string; status: number | null; duration_ms: number | null; error: string }[];
}

export function EntryDetail({ run, entry }: { run: string; entry: Entry }): JSX.Element {
  const sent = useLoad(`${run} ${entry.uuid}`, async (signal) => (entry.uuid ? (await call<ActivationView>("GET", at("flowrun", run, "activation", entry.uuid), { signal })).data : null), 0);
  return (
    <div class="entry-detail">
      <p class="faint">
        {moment(entry.at)} · {words.by} {plain(entry.by || "–")} {entry.uuid ? `· ${entry.uuid}` : ""}
      </p>
      {entry.error ? <p class="error">{plain(entry.error)}</p> : null}
      {entry.data !== null ? (
        <>
          <h3>{words.data}</h3>
          <JsonView value={entry.data} />
        </>
      ) : null}
      {Object.keys(entry.vars ?? {}).length ? (
        <>
          <h3>{words.variables}</h3>
          <JsonView value={entry.vars} />
        </>
      ) : null}
      {sent.data && (sent.data.action || sent.data.deliveries.length) ? (
        <>
          <h3>{words.sent(sent.data.action)}</h3>
          <JsonView value={sent.data.args} />
          <ul class="deliveries">
            {sent.data.deliveries.map((one) => (
              <li key={one.at}>
                {moment(one.at)} {plain(one.address)} <strong>{one.status ?? "–"}</strong> {one.duration_ms === null ? "" : span(one.duration_ms)} <span class="error">{plain(one.error)}</span>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </div>
  );
}
