// The history of a run, read page by page and followed while the run lives.
import { useEffect, useState } from "preact/hooks";
import { at, call } from "../../api/client";
import type { Entry } from "../../api/types";

const PAGE = 1_000;

/** The history from its first entry on, followed while the run lives. The index of an entry is its `seq` minus 1. */
export function useHistory(name: string, live: boolean): { entries: Entry[]; error: Error | null } {
  const [state, setState] = useState<{ name: string; entries: Entry[]; error: Error | null }>({ name, entries: [], error: null });
  useEffect(() => {
    const control = new AbortController();
    let entries: Entry[] = [];
    const read = async (): Promise<void> => {
      for (;;) {
        const found = await call<Entry[]>("GET", `${at("flowrun", name)}/history`, { query: { after: entries.length, limit: PAGE, values: "short" }, signal: control.signal });
        entries = [...entries, ...found.data];
        setState({ name, entries, error: null });
        if (found.data.length < PAGE) break;
      }
      while (live && !control.signal.aborted) {
        const found = await call<Entry[]>("GET", `${at("flowrun", name)}/watch`, { query: { after: entries.length, wait: 20, values: "short" }, signal: control.signal });
        entries = [...entries, ...found.data];
        setState({ name, entries, error: null });
        if (found.data.some((one) => ["done", "stopped"].includes(one.to) && one.token === "0")) break;
      }
    };
    read().catch((error: unknown) => {
      if (!control.signal.aborted) setState((old) => ({ ...old, error: error as Error }));
    });
    return () => control.abort();
  }, [name, live]);
  return state.name === name ? state : { entries: [], error: null };
}
