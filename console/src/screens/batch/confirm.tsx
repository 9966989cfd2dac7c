// Before a command goes to many runs: what would happen, how fast, and the number typed where much could be lost.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { at, call, curlOf } from "../../api/client";
import type { Json } from "../../api/types";
import { Copy, Dialog, Problem } from "../../ui/parts";
import { go } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { failuresOf, isRunning, type Batch, type BatchCommand } from "./batch";

export type { BatchCommand } from "./batch";

const LOOK_MS = 700;
const RATES = [5, 12, 50, 200];
const DEFAULT_RATE = 50;

export function Confirm({ command, close }: { command: BatchCommand; close: () => void }): JSX.Element {
  const [trial, setTrial] = useState<Batch | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [typed, setTyped] = useState("");
  const [rate, setRate] = useState(DEFAULT_RATE);
  const [step, setStep] = useState("");
  const [latest, setLatest] = useState(false);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const isDangerous = command.do === "stop" || command.do === "delete";
  const body = { select: command.select, do: command.do, with: argsOf(command.do, step.trim(), latest, reason.trim()), rate };
  const label = words.commands[command.do];
  useEffect(() => {
    if (!trial || !isRunning(trial)) return;
    const timer = setTimeout(() => {
      call<Batch>("GET", at("batch", trial.id)).then(
        (found) => setTrial(found.data),
        (problem: unknown) => setError(problem as Error),
      );
    }, LOOK_MS);
    return () => clearTimeout(timer);
  }, [trial]);
  const begin = (isTrial: boolean): void => {
    setError(null);
    setBusy(true);
    call<Batch>("POST", "/batch", { body: isTrial ? { ...body, dry_run: true } : body })
      .then(
        (found) => {
          if (isTrial) return setTrial(found.data);
          close();
          go(["batch", found.data.id]);
        },
        (problem: unknown) => setError(problem as Error),
      )
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={words.batchTitle(label, command.count)} close={close}>
      <p>{words.batchWhat(label, command.count)}</p>
      {command.do === "retry" ? (
        <>
          <label>
            {words.stepOr}
            <input value={step} placeholder={words.whereItStopped} onInput={(event) => setStep(event.currentTarget.value)} />
          </label>
          <label class="check">
            <input type="checkbox" checked={latest} onChange={(event) => setLatest(event.currentTarget.checked)} /> {words.withLatest}
          </label>
        </>
      ) : null}
      {command.do === "retry" || command.do === "stop" ? (
        <label>
          {words.reason}
          <input value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
      ) : null}
      <label>
        {words.atMost}
        <select value={String(rate)} onChange={(event) => setRate(Number(event.currentTarget.value))}>
          {RATES.map((one) => (
            <option key={one} value={String(one)}>
              {words.aSecond(one)}
            </option>
          ))}
        </select>
      </label>
      {isDangerous ? (
        <label>
          {words.typeCount(command.count)}
          <input inputMode="numeric" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
        </label>
      ) : null}
      {trial ? (
        <div role="status">
          <p>
            <strong>{words.progressOf(trial.would, failuresOf(trial), trial.matched, true)}</strong>
          </p>
          <ul class="outcomes">
            {(trial.results ?? [])
              .filter((one) => one.outcome !== "would")
              .map((one) => (
                <li key={one.run}>
                  <strong>{plain(one.run)}</strong> {one.outcome}: {plain(one.reason)}
                </li>
              ))}
          </ul>
        </div>
      ) : null}
      <details>
        <summary>{words.sameCall}</summary>
        <pre>{curlOf("POST", "/batch", body)}</pre>
        <Copy text={curlOf("POST", "/batch", body)} label={words.copyCurl} />
      </details>
      {error ? <Problem error={error} /> : null}
      <p class="actions">
        <button type="button" onClick={close}>
          {words.cancel}
        </button>
        <button type="button" disabled={busy} onClick={() => begin(true)}>
          {words.dryRun}
        </button>
        <button type="button" class={isDangerous ? "danger" : "primary"} disabled={busy || (isDangerous && typed !== String(command.count))} onClick={() => begin(false)}>
          {label}
        </button>
      </p>
    </Dialog>
  );
}

/** The fields of the command's own call. */
function argsOf(command: string, step: string, latest: boolean, reason: string): Record<string, Json> {
  const found: Record<string, Json> = {};
  if (command === "retry" && step) found["step"] = step;
  if (command === "retry" && latest) found["version"] = "latest";
  if (reason) found["reason"] = reason;
  return found;
}
