// Events, schedules, hooks, secrets and tokens.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { at, call } from "../api/client";
import type { Json } from "../api/types";
import { JsonView } from "../ui/json";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Copy, Dialog, Empty, Problem, Skeleton, Tabs, useTitle, When } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";
import { Do } from "./do";

type Tab = "events" | "schedules" | "hooks" | "secrets" | "tokens";
type Row = Record<string, Json> & { metadata?: { name: string }; spec?: Record<string, Json> };

export function Admin(): JSX.Element {
  const { query } = usePlace();
  const tab = (query.get("tab") ?? "events") as Tab;
  useTitle(words[tab] ?? words.more_);
  const tabs = (
    [
      ["events", words.events, "GET /event"],
      ["schedules", words.schedules, "GET /schedule"],
      ["hooks", words.hooks, "GET /hook"],
      ["secrets", words.secrets, "GET /secret"],
      ["tokens", words.tokens, "GET /token"],
    ] as const
  ).filter(([, , name]) => may(name));
  return (
    <>
      <div class="title">
        <h1>{words[tab]}</h1>
      </div>
      <Tabs label={words.more_} at={tab} go={(next) => go(["admin"], { tab: next })} tabs={tabs.map(([id, name]) => [id, name] as const)} />
      {tab === "events" ? <Events /> : tab === "schedules" ? <Schedules /> : tab === "hooks" ? <Hooks /> : tab === "secrets" ? <Secrets /> : <Tokens />}
    </>
  );
}

function Rows(props: { path: string; columns: readonly (readonly [string, (row: Row) => JSX.Element | string])[]; none: string; help?: ComponentChildren; turn: number }): JSX.Element {
  const found = useLoad(`${props.path} ${props.turn}`, (signal) => call<Row[]>("GET", props.path, { signal }), 15);
  if (found.error) return <Problem error={found.error} retry={found.reload} />;
  if (!found.data) return <Skeleton rows={3} />;
  if (!found.data.data.length) return <Empty title={props.none}>{props.help}</Empty>;
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            {props.columns.map(([name]) => (
              <th key={name}>{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found.data.data.map((row, n) => (
            <tr key={n}>
              {props.columns.map(([name, cell]) => (
                <td key={name} class={name ? "" : "actions"}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const SCHEDULE = 'schedule nightly flow = order; cron = "0 2 * * *"; zone = "Europe/Berlin"; schedule_end';
const HOOK = 'hook pager addr = "https://alerts.example/hook"; on = (run.failed); hook_end';

/** How a definition is written, and where. */
function Written({ text }: { text: string }): JSX.Element {
  return (
    <>
      <p>{words.writtenSo}</p>
      <pre>{text}</pre>
      {may("POST /fsl") ? (
        <p>
          <a class="button" href={href(["edit"])}>
            {words.newFlow}
          </a>
        </p>
      ) : null}
    </>
  );
}

const text = (value: Json | undefined): string => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : plain(String(value)));
const nameOf = (row: Row): string => plain(String(row.metadata?.name ?? row["name"] ?? ""));
const spec = (row: Row, name: string): Json | undefined => row.spec?.[name] ?? row[name];

function Events(): JSX.Element {
  const [form, setForm] = useState({ name: "", key: "", data: "", ttl: "24h" });
  const [wakes, setWakes] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  const send = async (dry: boolean): Promise<void> => {
    setError(null);
    try {
      const body = { name: form.name, key: form.key, ttl: form.ttl || "24h", data: form.data.trim() ? (JSON.parse(form.data) as Json) : null };
      const found = await call<Record<string, Json>>("POST", "/event", { body, query: { dry_run: dry || null } });
      const answer = found.data as { would_wake?: number; runs?: string[]; spec?: { woken?: { count?: number; runs?: string[] } } };
      const runs = answer.runs ?? answer.spec?.woken?.runs ?? [];
      setWakes(dry ? words.wouldWake(answer.would_wake ?? runs.length, runs.map(plain).join(", ")) : words.published(runs.map(plain).join(", ")));
      if (!dry) setTurn(turn + 1);
    } catch (problem) {
      setError(problem as Error);
    }
  };
  return (
    <>
      {may("POST /event") ? (
        <form
          class="form inline"
          onSubmit={(event) => {
            event.preventDefault();
            void send(false);
          }}
        >
          <label>
            {words.eventName}
            <input required value={form.name} placeholder="payment.received" onInput={(event) => setForm({ ...form, name: event.currentTarget.value })} />
          </label>
          <label>
            {words.key}
            <input value={form.key} onInput={(event) => setForm({ ...form, key: event.currentTarget.value })} />
          </label>
          <label>
            {words.dataJson}
            <input value={form.data} onInput={(event) => setForm({ ...form, data: event.currentTarget.value })} />
          </label>
          <label>
            {words.keepFor}
            <input value={form.ttl} onInput={(event) => setForm({ ...form, ttl: event.currentTarget.value })} />
          </label>
          <span class="actions">
            <button type="button" disabled={!form.name} onClick={() => void send(true)}>
              {words.whatWakes}
            </button>
            <button type="submit" class="primary">
              {words.publish}
            </button>
          </span>
        </form>
      ) : null}
      {wakes ? <p role="status">{wakes}</p> : null}
      {error ? <Problem error={error} /> : null}
      <Rows
        path="/event"
        none={words.noEvents}
        turn={turn}
        columns={[
          [words.name, nameOf],
          [words.key, (row) => text(spec(row, "key"))],
          [words.at, (row) => <When at={String(spec(row, "created_at") ?? spec(row, "at") ?? "") || null} />],
          [words.until, (row) => <When at={String(spec(row, "expires_at") ?? "") || null} />],
          [words.data, (row) => <JsonView value={spec(row, "data") ?? null} open={0} />],
        ]}
      />
    </>
  );
}

function Schedules(): JSX.Element {
  const [turn, setTurn] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  const act = (name: string, verb: string): void => {
    call("POST", `${at("schedule", name)}/${verb}`).then(() => setTurn(turn + 1), setError);
  };
  return (
    <>
      {error ? <Problem error={error} /> : null}
      <Rows
        path="/schedule"
        none={words.noSchedules}
        help={<Written text={SCHEDULE} />}
        turn={turn}
        columns={[
          [words.name, nameOf],
          [words.flow, (row) => text(spec(row, "flow"))],
          [words.when, (row) => `${text(spec(row, "cron")) || text(spec(row, "every"))} ${text(spec(row, "zone"))}`],
          [words.next, (row) => <When at={String(spec(row, "next") ?? spec(row, "next_at") ?? "") || null} />],
          [
            "",
            (row) => (
              <span class="actions">
                <Do call="POST /schedule/{name}/run" onClick={() => act(nameOf(row), "run")}>
                  {words.runNow}
                </Do>
                {spec(row, "paused") ? (
                  <Do call="POST /schedule/{name}/continue" onClick={() => act(nameOf(row), "continue")}>
                    {words.continue_}
                  </Do>
                ) : (
                  <Do call="POST /schedule/{name}/pause" onClick={() => act(nameOf(row), "pause")}>
                    {words.pause}
                  </Do>
                )}
              </span>
            ),
          ],
        ]}
      />
    </>
  );
}

function Hooks(): JSX.Element {
  const [shown, setShown] = useState<string | null>(null);
  return (
    <>
      <Rows
        path="/hook"
        none={words.noHooks}
        help={<Written text={HOOK} />}
        turn={0}
        columns={[
          [words.name, nameOf],
          [words.events, (row) => text(spec(row, "on"))],
          [words.address, (row) => text(spec(row, "addr") ?? spec(row, "address"))],
          [
            "",
            (row) => (
              <button type="button" onClick={() => setShown(nameOf(row))}>
                {words.deliveries}
              </button>
            ),
          ],
        ]}
      />
      {shown ? (
        <Dialog title={`${words.deliveries}: ${shown}`} close={() => setShown(null)} wide>
          <Rows
            path={`${at("hook", shown)}/deliveries`}
            none={words.noDeliveries}
            turn={0}
            columns={[
              [words.at, (row) => <When at={String(row["at"] ?? "") || null} />],
              [words.events, (row) => text(row["event"])],
              [words.name, (row) => text(row["run"])],
              [words.status, (row) => `${text(row["outcome"])} ${text(row["status"])}`],
              [words.error, (row) => text(row["error"])],
            ]}
          />
        </Dialog>
      ) : null}
    </>
  );
}

function Secrets(): JSX.Element {
  const [form, setForm] = useState({ name: "", value: "" });
  const [error, setError] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  const change = async (work: Promise<unknown>): Promise<void> => {
    setError(null);
    try {
      await work;
      setTurn(turn + 1);
    } catch (problem) {
      setError(problem as Error);
    }
  };
  return (
    <>
      {may("PUT /secret/{name}") || may("POST /secret/{name}") ? (
        <form
          class="form inline"
          onSubmit={(event) => {
            event.preventDefault();
            const { name, value } = form;
            setForm({ name: "", value: "" });
            void change(call(may("PUT /secret/{name}") ? "PUT" : "POST", at("secret", name), { body: { value } }));
          }}
        >
          <label>
            {words.name}
            <input required value={form.name} placeholder="pay.api-key" onInput={(event) => setForm({ ...form, name: event.currentTarget.value })} />
          </label>
          <label>
            {words.value}
            <input required type="password" autocomplete="off" value={form.value} onInput={(event) => setForm({ ...form, value: event.currentTarget.value })} />
          </label>
          <button type="submit" class="primary">
            {words.setSecret}
          </button>
        </form>
      ) : null}
      {error ? <Problem error={error} /> : null}
      <Rows
        path="/secret"
        none={words.noSecrets}
        turn={turn}
        columns={[
          [words.name, nameOf],
          [words.setAt, (row) => <When at={String(row["set_at"] ?? "") || null} />],
          [words.by, (row) => text(row["set_by"])],
          [
            "",
            (row) => (
              <Do call="DELETE /secret/{name}" onClick={() => void change(call("DELETE", at("secret", nameOf(row))))}>
                {words.delete_}
              </Do>
            ),
          ],
        ]}
      />
    </>
  );
}

const ROLES = ["viewer", "clerk", "action", "operator", "author", "admin"];

function Tokens(): JSX.Element {
  const [form, setForm] = useState({ name: "", role: "operator", days: "30" });
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  const change = async (work: Promise<{ data: unknown }>): Promise<void> => {
    setError(null);
    try {
      const found = (await work).data as { token?: string; text?: string } | null;
      if (found?.token ?? found?.text) setMade(found?.token ?? found?.text ?? null);
      setTurn(turn + 1);
    } catch (problem) {
      setError(problem as Error);
    }
  };
  return (
    <>
      <form
        class="form inline"
        onSubmit={(event) => {
          event.preventDefault();
          const expires = form.days ? { expires_in: `${form.days}d` } : {};
          void change(call("POST", "/token", { body: { name: form.name, role: form.role, ...expires } }));
        }}
      >
        <label>
          {words.name}
          <input required value={form.name} maxLength={64} onInput={(event) => setForm({ ...form, name: event.currentTarget.value })} />
        </label>
        <label>
          {words.role}
          <select value={form.role} onChange={(event) => setForm({ ...form, role: event.currentTarget.value })}>
            {ROLES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <label>
          {words.days}
          <input inputMode="numeric" value={form.days} onInput={(event) => setForm({ ...form, days: event.currentTarget.value })} />
        </label>
        <button type="submit" class="primary">
          {words.make}
        </button>
      </form>
      {error ? <Problem error={error} /> : null}
      <Rows
        path="/token"
        none={words.noTokens}
        turn={turn}
        columns={[
          [words.name, nameOf],
          [words.role, (row) => text(row["role"])],
          [words.begun, (row) => <When at={String(row["created_at"] ?? "") || null} />],
          [words.until, (row) => <When at={String(row["expires_at"] ?? "") || null} />],
          [
            "",
            (row) =>
              row["revoked_at"] ? (
                <span class="faint">
                  {words.revoked} <When at={String(row["revoked_at"])} />
                </span>
              ) : (
                <Do call="DELETE /token/{token_id}" onClick={() => void change(call("DELETE", at("token", String(row["id"]))))}>
                  {words.revoke}
                </Do>
              ),
          ],
        ]}
      />
      {made ? (
        <Dialog title={words.newToken} close={() => undefined}>
          <p>{words.shownOnce}</p>
          <pre>{made}</pre>
          <p class="actions">
            <Copy text={made} />
            <button type="button" class="primary" onClick={() => setMade(null)}>
              {words.haveIt}
            </button>
          </p>
        </Dialog>
      ) : null}
    </>
  );
}
