// A command over many runs: what would happen first, then its progress, and every refusal.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { at, call, curlOf } from "../api/client";
import { Copy, Dialog, Problem } from "../ui/parts";
import { plain } from "../ui/text";
import { words } from "../words/en";

export interface BatchCommand {
  do: "retry" | "pause" | "continue" | "stop" | "delete";
  names: string[];
}

interface Progress {
  id: string;
  status: string;
  matched: number;
  done: number;
  refused: number;
  results: { run?: string; name?: string; outcome: string; reason?: string; why?: string }[];
}

const LOOK_MS = 700;

export function Batch({ command, done }: { command: BatchCommand; done: () => void }): JSX.Element {
  const body = { select: { names: command.names }, do: command.do };
  const [progress, setProgress] = useState<Progress | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [typed, setTyped] = useState("");
  const dangerous = command.do === "stop" || command.do === "delete";
  const running = progress !== null && !["done", "stopped", "finished", "completed"].includes(progress.status) && progress.done + progress.refused < progress.matched;
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
  const begin = (): void => {
    setError(null);
    call<Partial<Progress> & { id: string; matched: number }>("POST", "/batch", { body }).then(
      (found) => setProgress({ done: 0, refused: 0, results: [], status: "running", ...found.data }),
      (problem: unknown) => setError(problem as Error),
    );
  };
  const stop = (): void => {
    if (progress) void call<Progress>("POST", `${at("batch", progress.id)}/stop`).then((found) => setProgress({ ...progress, ...found.data, status: "stopped" }), setError);
  };
  return (
    <Dialog title={words.batchTitle(words.commands[command.do], command.names.length)} close={done}>
      {progress ? (
        <>
          <progress max={progress.matched} value={progress.done + progress.refused} aria-label={words.progress} />
          <p aria-live="polite">{words.progressOf(progress.done, progress.refused, progress.matched)}</p>
          <ul class="outcomes">
            {progress.results
              .filter((one) => one.outcome !== "done")
              .map((one) => (
                <li key={one.run ?? one.name}>
                  <strong>{plain(one.run ?? one.name ?? "")}</strong> {one.outcome}: {plain(one.reason ?? one.why ?? "")}
                </li>
              ))}
          </ul>
          <p class="actions">
            {running ? (
              <button type="button" onClick={stop}>
                {words.stop}
              </button>
            ) : (
              <button type="button" class="primary" onClick={done}>
                {words.close}
              </button>
            )}
          </p>
        </>
      ) : (
        <>
          <p>{words.batchWhat(words.commands[command.do], command.names.length)}</p>
          {dangerous ? (
            <label>
              {words.typeCount(command.names.length)}
              <input inputMode="numeric" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
            </label>
          ) : null}
          <pre>{curlOf("POST", "/batch", body)}</pre>
          <p class="actions">
            <Copy text={curlOf("POST", "/batch", body)} />
            <button type="button" onClick={done}>
              {words.cancel}
            </button>
            <button type="button" class={dangerous ? "danger" : "primary"} disabled={dangerous && typed !== String(command.names.length)} onClick={begin}>
              {words.commands[command.do]}
            </button>
          </p>
        </>
      )}
      {error ? <Problem error={error} /> : null}
    </Dialog>
  );
}
