// What can be done with the runs that are selected, or with all that match.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call, type Query } from "../../api/client";
import type { Json } from "../../api/types";
import { may } from "../../ui/me";
import { href } from "../../ui/router";
import { words } from "../../words/en";
import type { BatchCommand } from "../batch/confirm";

interface Props {
  names: readonly string[];
  /** The filters of the list, if it has more runs than were read. */
  all: Query | null;
  command: (command: BatchCommand) => void;
  clear: () => void;
}

export function Selection({ names, all, command, clear }: Props): JSX.Element {
  const [matching, setMatching] = useState<{ select: Record<string, Json>; count: number; isMore: boolean } | null>(null);
  const chooseAll = async (): Promise<void> => {
    const filters = { ...all, until: all?.["until"] ?? new Date().toISOString() };
    const found = await call<{ counts: Record<string, number>; more: boolean }>("GET", "/flowrun/count", { query: { ...filters, group: "status" } });
    setMatching({ select: filters as Record<string, Json>, count: Object.values(found.data.counts).reduce((sum, one) => sum + one, 0), isMore: found.data.more });
  };
  useEffect(() => setMatching(null), [names]);
  const count = matching?.count ?? names.length;
  const select = matching?.select ?? { names: [...names] };
  return (
    <div class="selection" role="toolbar" aria-label={words.selected(count)}>
      <strong>{words.selected(count, matching?.isMore)}</strong>
      {all && !matching && may("POST /batch") ? (
        <button type="button" class="quiet" onClick={() => void chooseAll()}>
          {words.allThatMatch}
        </button>
      ) : null}
      {(["retry", "pause", "continue", "stop", "delete"] as const).map((one) => (
        <button key={one} type="button" disabled={!may("POST /batch")} title={may("POST /batch") ? undefined : words.needsRole("POST /batch")} onClick={() => command({ do: one, select, count })}>
          {words.commands[one]}
        </button>
      ))}
      {names.length === 2 && !matching ? (
        <a class="button" href={href(["compare", ...names])}>
          {words.compareRuns}
        </a>
      ) : null}
      <button type="button" class="quiet" onClick={clear}>
        {words.clearSelection}
      </button>
    </div>
  );
}
