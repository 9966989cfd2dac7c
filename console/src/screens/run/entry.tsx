// One entry of a history: who caused it, its data, what was sent and how the deliveries ended.
import type { JSX } from "preact";
import { at, call } from "../../api/client";
import type { Entry, Json } from "../../api/types";
import { JsonView } from "../../ui/json";
import { useLoad } from "../../ui/load";
import { Problem } from "../../ui/parts";
import { moment, plain, span } from "../../ui/text";
import { RemoteValue } from "../../ui/value";
import { words } from "../../words/en";

interface ActivationView {
  args: Record<string, Json>;
  headers: Record<string, string>;
  action: string;
  deliveries: { at: string; address: string; status: number | null; duration_ms: number | null; error: string }[];
}

export function EntryDetail({ run, entry, close }: { run: string; entry: Entry; close: () => void }): JSX.Element {
  const sent = useLoad(`sent ${run} ${entry.uuid}`, async (signal) => (entry.uuid ? (await call<ActivationView>("GET", at("flowrun", run, "activation", entry.uuid), { signal })).data : null), 0);
  const source = { run, of: "entry", seq: entry.seq } as const;
  return (
    <section class="entry-detail" aria-label={words.entryN(entry.seq)}>
      <header>
        <h3>
          {words.entryN(entry.seq)} · {plain(entry.step || entry.from || entry.event)}
        </h3>
        <button type="button" class="quiet" aria-label={words.close} onClick={close}>
          ✕
        </button>
      </header>
      <p class="faint">
        {moment(entry.at)}
        {entry.by ? ` · ${words.byWhom(plain(entry.by))}` : ""}
        {entry.uuid ? ` · ${entry.uuid}` : ""}
      </p>
      {entry.error ? (
        <p class="error">
          <strong>{plain(entry.error_name)}</strong> {plain(entry.error)}
        </p>
      ) : null}
      {entry.data !== null ? (
        <>
          <h3>{words.data}</h3>
          {isCut(entry.data) ? <RemoteValue source={source} path="/data" label={words.data} /> : <JsonView value={entry.data} />}
        </>
      ) : null}
      {Object.keys(entry.vars ?? {}).length ? (
        <>
          <h3>{words.variables}</h3>
          {Object.values(entry.vars).some(isCut) ? <RemoteValue source={source} path="/vars" label={words.variables} /> : <JsonView value={entry.vars} />}
        </>
      ) : null}
      {sent.error ? <Problem error={sent.error} retry={sent.reload} /> : null}
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
    </section>
  );
}

/** Whether the list shows a value by its type and size only. */
function isCut(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && "$cut" in value;
}
