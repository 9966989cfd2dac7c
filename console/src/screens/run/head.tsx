// The head of a run: its name, status and figures, and the commands that fit its status.
import type { JSX } from "preact";
import type { Run } from "../../api/types";
import { Popup } from "../../ui/popup";
import { Status } from "../../ui/parts";
import { href } from "../../ui/router";
import { dollars, plain, span } from "../../ui/text";
import { words } from "../../words/en";
import type { Command } from "../commands";
import { Do } from "../do";
import { LIVE, STOPPED } from "./status";

export function Head({ run, moves, command }: { run: Run; moves: number; command: (command: Command) => void }): JSX.Element {
  const { spec, metadata } = run;
  const end = spec.ended_at ? Date.parse(spec.ended_at) : Date.now();
  const failed = spec.error?.step ?? spec.current_state;
  const stopped = STOPPED.includes(spec.status);
  const parent = spec["parent"] as { run: string; step: string } | null | undefined;
  const cost = spec["cost"] as { usd?: number } | undefined;
  return (
    <div class="title run">
      <h1>{plain(metadata.name)}</h1>
      <Status status={spec.status} />
      <span class="faint">
        {spec.flow ? (
          <a href={href(["flows", spec.flow])}>
            {plain(spec.flow)}@{spec.flow_version}
          </a>
        ) : (
          words.ownSteps
        )}{" "}
        · {words.moves(moves)} · {span(end - Date.parse(spec.created_at))} · <span title={words.writesHelp}>{words.writes(metadata.version)}</span>
        {cost?.usd !== undefined ? ` · ${dollars(cost.usd)}` : ""}
        {parent ? (
          <>
            {" "}
            · ↳ <a href={href(["runs", parent.run])}>{plain(parent.run)}</a>
          </>
        ) : null}
      </span>
      {Object.entries(metadata.labels).map(([name, value]) => (
        <a key={name} class="chip" href={href(["runs"], { label: `${name}:${String(value)}` })}>
          {plain(name)}: {plain(String(value))}
        </a>
      ))}
      <span class="actions">
        {stopped && spec.status === "failed" ? (
          <Do call="POST /flowrun/{name}/retry" primary onClick={() => command("retry")}>
            {words.retryFrom(failed)}
          </Do>
        ) : null}
        {stopped && spec.status !== "failed" ? (
          <Do call="POST /flowrun/{name}/retry" onClick={() => command("retry")}>
            {words.retry}
          </Do>
        ) : null}
        {LIVE.includes(spec.status) ? (
          spec.status === "paused" ? (
            <Do call="POST /flowrun/{name}/continue" primary onClick={() => command("continue")}>
              {words.continue_}
            </Do>
          ) : (
            <Do call="POST /flowrun/{name}/pause" onClick={() => command("pause")}>
              {words.pause}
            </Do>
          )
        ) : null}
        <Others run={run} command={command} />
      </span>
    </div>
  );
}

function Others({ run, command }: { run: Run; command: (command: Command) => void }): JSX.Element {
  const live = LIVE.includes(run.spec.status);
  const entries: readonly (readonly [Command, string, boolean])[] = [
    ["signal", words.signal, live],
    ["vars", words.vars, live],
    ["goto", words.goto, live],
    ["migrate", words.migrate, live && run.spec.flow !== ""],
    ["stop", words.stop, live],
    ["delete", words.delete_, !live],
  ];
  return (
    <Popup label={words.more_}>
        {entries
          .filter(([, , shown]) => shown)
          .map(([name, label]) => (
            <button key={name} type="button" onClick={() => command(name)}>
              {label}
            </button>
          ))}
        <a href={href(["compare", run.metadata.name])}>{words.compareRuns}</a>
        {run.spec.flow ? <a href={href(["start", run.spec.flow], { like: run.metadata.name })}>{words.again}</a> : null}
    </Popup>
  );
}
