// What waits for a person, the soonest deadline first. No word of FSL is needed to answer.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, call } from "../api/client";
import type { Json, Task } from "../api/types";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Empty, Problem, Skeleton, useTitle, When } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { settings } from "../ui/settings";
import { plain, titled } from "../ui/text";
import { words } from "../words/en";
import { inField } from "./frame";

export function Inbox(): JSX.Element {
  const { query } = usePlace();
  useTitle(words.inbox);
  const run = query.get("run");
  const filter = { flow: query.get("flow"), label: query.get("label"), kind: query.get("kind"), flowId: run };
  const found = useLoad(`tasks ${JSON.stringify(filter)}`, (signal) => call<Task[]>("GET", "/task", { query: { order: "deadline", limit: 100, ...filter }, signal }));
  const [older, setOlder] = useState<Task[]>([]);
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  const tasks = [...(found.data?.data ?? []), ...older].filter((one) => !gone.has(one.uuid));
  const wanted = query.get("task");
  const task = tasks.find((one) => one.uuid === wanted) ?? tasks[0] ?? null;
  const open = (one: Task): void => {
    const next = new URLSearchParams(query);
    next.set("task", one.uuid);
    go(["inbox"], next, true);
  };
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (inField(event.target) || event.ctrlKey || event.metaKey) return;
      const by = { j: 1, k: -1 }[event.key];
      const here = tasks.findIndex((one) => one.uuid === task?.uuid);
      const next = by ? tasks[Math.min(tasks.length - 1, Math.max(0, here + by))] : undefined;
      if (next) open(next);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  });
  const more = async (): Promise<void> => {
    const cursor = found.data?.cursor;
    if (cursor) setOlder((await call<Task[]>("GET", "/task", { query: { order: "deadline", limit: 100, ...filter, cursor } })).data);
  };
  const active = Object.entries(filter).filter(([, value]) => value);
  return (
    <>
      <div class="title">
        <h1>{words.inbox}</h1>
        <span class="faint">{words.tasks(tasks.length)}</span>
        {active.map(([name, value]) => (
          <a key={name} class="chip" href={href(["inbox"])}>
            {name}: {plain(value ?? "")} ✕
          </a>
        ))}
      </div>
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      {!tasks.length ? (
        found.loading && !found.data ? (
          <Skeleton />
        ) : (
          <Empty title={words.noTasks}>
            <p>{words.noTasksHelp}</p>
          </Empty>
        )
      ) : (
        <div class="columns inbox">
          <ul class="cards" aria-label={words.inbox}>
            {tasks.map((one) => (
              <li key={one.uuid}>
                <button type="button" class="card" aria-current={one.uuid === task?.uuid} onClick={() => open(one)}>
                  <strong>{plain(titled(one.stepName))}</strong>
                  <span class="faint">{plain(one.flowId)}</span>
                  <span class={Date.parse(one.deadline) - Date.now() < 3_600_000 ? "soon" : "faint"}>
                    {words.due} <When at={one.deadline} />
                  </span>
                </button>
              </li>
            ))}
            {found.data?.cursor && !older.length ? (
              <li>
                <button type="button" onClick={() => void more()}>
                  {words.loadMore}
                </button>
              </li>
            ) : null}
          </ul>
          {task ? (
            <OneTask
              key={task.uuid}
              task={task}
              done={() => {
                setGone(new Set([...gone, task.uuid]));
                found.reload();
              }}
            />
          ) : null}
        </div>
      )}
    </>
  );
}

function OneTask({ task, done }: { task: Task; done: () => void }): JSX.Element {
  const [note, setNote] = useState("");
  const [pending, setPending] = useState<{ state: string; left: number } | null>(null);
  const [outcome, setOutcome] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const box = useRef<HTMLElement>(null);
  const allowed = may("POST /step");
  const send = async (state: string): Promise<void> => {
    setPending(null);
    try {
      const data = note.trim() ? { note: note.trim() } : null;
      const body = { flowId: task.flowId, stepName: task.stepName, uuid: task.uuid, ackState: state, done: true, ...(data ? { data } : {}) };
      const found = await call<{ outcome: string }>("POST", "/step", { body });
      setOutcome(found.data.outcome === "duplicate" ? words.faster : words.answered(titled(state)));
      setTimeout(done, 1200);
    } catch (problem) {
      if (problem instanceof ApiError && [404, 409].includes(problem.status)) {
        setOutcome(words.faster);
        setTimeout(done, 1200);
      } else setError(problem as Error);
    }
  };
  const answer = (state: string): void => {
    if (settings.value.undo > 0) setPending({ state, left: settings.value.undo });
    else void send(state);
  };
  useEffect(() => {
    if (!pending) return;
    const timer = setTimeout(() => (pending.left <= 1 ? void send(pending.state) : setPending({ ...pending, left: pending.left - 1 })), 1000);
    return () => clearTimeout(timer);
  }, [pending]);
  // An answer that is left in its time to be taken back is sent; only a closed page would lose it.
  const left = useRef<() => void>(() => undefined);
  left.current = () => void (pending && send(pending.state));
  useEffect(() => () => left.current(), []);
  useEffect(() => {
    if (!pending) return;
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [pending !== null]);
  const letters = lettersOf(task.ackStates);
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (inField(event.target) || event.ctrlKey || event.metaKey || pending || !allowed) return;
      const state = task.ackStates.find((one) => letters.get(one) === event.key);
      if (state) answer(state);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  });
  return (
    <section class="task" ref={box} aria-label={titled(task.stepName)}>
      <h2>{plain(titled(task.stepName))}</h2>
      <p class="faint">
        {words.asked} <When at={task.since} /> · {words.due} <When at={task.deadline} /> · <a href={href(["runs", task.flowId])}>{plain(task.flowId)}</a>
      </p>
      <dl class="args">
        {Object.entries(task.args).map(([name, value]) => (
          <div key={name}>
            <dt>{plain(titled(name))}</dt>
            <dd>
              <Field value={value} />
            </dd>
          </div>
        ))}
      </dl>
      {task.routes ? (
        <p class="faint">
          {words.whatHappens}:{" "}
          {Object.entries(task.routes)
            .map(([state, target]) => `${titled(state)} → ${target === "done" ? words.theEnd : target === "stopped" ? words.theStop : titled(target)}`)
            .join(" · ")}
        </p>
      ) : null}
      {outcome ? (
        <p role="status">
          <strong>{outcome}</strong>
        </p>
      ) : pending ? (
        <p role="status">
          {words.answered(titled(pending.state))}{" "}
          <button type="button" onClick={() => setPending(null)}>
            {words.undo5(pending.left)}
          </button>{" "}
          <button type="button" class="primary" onClick={() => void send(pending.state)}>
            {words.sendNow}
          </button>
        </p>
      ) : (
        <>
          <label>
            {words.note}
            <textarea rows={2} value={note} disabled={!allowed} onInput={(event) => setNote(event.currentTarget.value)} />
          </label>
          <p class="actions">
            {task.ackStates.map((state, n) => (
              <button key={state} type="button" class={n === 0 ? "primary" : ""} disabled={!allowed} title={allowed ? undefined : words.needsRole("POST /step")} onClick={() => answer(state)}>
                {plain(titled(state))} {letters.get(state) ? <kbd>{letters.get(state)}</kbd> : null}
              </button>
            ))}
          </p>
        </>
      )}
      {error ? <Problem error={error} /> : null}
    </section>
  );
}

/** A letter for each answer: the first of its name that no other has. */
export function lettersOf(states: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const state of states) {
    const letter = [...state.toLowerCase()].find((char) => /[a-z]/.test(char) && !"jkgx".includes(char) && ![...found.values()].includes(char));
    if (letter) found.set(state, letter);
  }
  return found;
}

/** A value for people: numbers and dates as they are written where they live. */
function Field({ value }: { value: Json }): JSX.Element {
  if (value === null) return <span class="faint">–</span>;
  if (typeof value === "number") return <>{new Intl.NumberFormat().format(value)}</>;
  if (typeof value === "boolean") return <>{value ? words.yes : words.no}</>;
  if (typeof value === "string") {
    if (/^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(Date.parse(value))) return <When at={value} />;
    if (/^https?:\/\//.test(value))
      return (
        <a href={value} rel="noopener noreferrer" target="_blank">
          {plain(value)}
        </a>
      );
    return <>{plain(value)}</>;
  }
  const entries = Array.isArray(value) ? value.map((one, n) => [String(n + 1), one] as const) : Object.entries(value);
  return (
    <dl class="args">
      {entries.slice(0, 50).map(([name, one]) => (
        <div key={name}>
          <dt>{plain(titled(name))}</dt>
          <dd>
            <Field value={one} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
