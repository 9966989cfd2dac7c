// A command over many runs: what would happen first, then its progress, and every refusal.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { at, call, curlOf } from "../api/client";
import type { Json } from "../api/types";
import { Copy, Dialog, Problem } from "../ui/parts";
import { plain } from "../ui/text";
import { words } from "../words/en";

export interface BatchCommand {
  do: "retry" | "pause" | "continue" | "stop" | "delete";
  /** The runs by name, or the filters that they match: those that match when the command begins, and no later ones. */
  select: { names: string[] } | Record<string, Json>;
  count: number;
}

interface Progress {
  id: string;
  status: "collecting" | "running" | "stopped" | "done";
  dry_run: boolean;
  matched: number;
  done: number;
  would: number;
  refused: number;
  missing: number;
  busy: number;
  left: number;
  results?: { run: string; outcome: string; reason: string }[];
}

const LOOK_MS = 700;

export function Batch({ command, done }: { command: BatchCommand; done: () => void }): JSX.Element {
  const body = { select: command.select, do: command.do };
  const [progress, setProgress] = useState<Progress | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [typed, setTyped] = useState("");
  const dangerous = command.do === "stop" || command.do === "delete";
  const running = progress !== null && (progress.status === "collecting" || progress.status === "running");
  useEffect(() => {
    if (!progress || !running) return;
    const timer = setTimeout(() => {
      call<Progress>("GET", at("batch", progress.id)).then(
        (found) => setProgress(found.data),
        (problem: unknown) => setError(problem as Error),
      );
    }, LOOK_MS);
    return () => clearTimeout(timer);
  }, [progress]);
  const begin = (dry = false): void => {
    setError(null);
    call<Progress>("POST", "/batch", { body: dry ? { ...body, dry_run: true } : body }).then(
      (found) => setProgress(found.data),
      (problem: unknown) => setError(problem as Error),
    );
  };
  const stop = (): void => {
    if (progress)
      call<Progress>("POST", `${at("batch", progress.id)}/stop`).then(
        (found) => setProgress({ ...progress, ...found.data }),
        (problem: unknown) => setError(problem as Error),
      );
  };
  const ended = progress ? progress.done + progress.would + progress.refused + progress.missing + progress.busy : 0;
  return (
    <Dialog title={words.batchTitle(words.commands[command.do], command.count)} close={done}>
      {progress ? (
        <>
          <progress max={progress.matched} value={ended} aria-label={words.progress} />
          <p aria-live="polite">{words.progressOf(progress.dry_run ? progress.would : progress.done, progress.refused + progress.missing + progress.busy, progress.matched, progress.dry_run)}</p>
          <ul class="outcomes">
            {(progress.results ?? [])
              .filter((one) => !["done", "would"].includes(one.outcome))
              .map((one) => (
                <li key={one.run}>
                  <strong>{plain(one.run)}</strong> {one.outcome}: {plain(one.reason)}
                </li>
              ))}
          </ul>
          <p class="actions">
            {running ? (
              <button type="button" onClick={stop}>
                {words.stop}
              </button>
            ) : (
              <>
                <button type="button" onClick={done}>
                  {words.close}
                </button>
                {progress.dry_run ? (
                  <button type="button" class={dangerous ? "danger" : "primary"} onClick={() => begin()}>
                    {words.commands[command.do]}
                  </button>
                ) : null}
              </>
            )}
          </p>
        </>
      ) : (
        <>
          <p>{words.batchWhat(words.commands[command.do], command.count)}</p>
          {dangerous ? (
            <label>
              {words.typeCount(command.count)}
              <input inputMode="numeric" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
            </label>
          ) : null}
          <pre>{curlOf("POST", "/batch", body)}</pre>
          <p class="actions">
            <Copy text={curlOf("POST", "/batch", body)} />
            <button type="button" onClick={done}>
              {words.cancel}
            </button>
            <button type="button" onClick={() => begin(true)}>
              {words.dryRun}
            </button>
            <button type="button" class={dangerous ? "danger" : "primary"} disabled={dangerous && typed !== String(command.count)} onClick={() => begin()}>
              {words.commands[command.do]}
            </button>
          </p>
        </>
      )}
      {error ? <Problem error={error} /> : null}
    </Dialog>
  );
}
