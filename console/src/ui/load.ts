// Loading: a call whose answer a component shows, made again every few seconds while the page is looked at.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { settings } from "./settings";
import { useStore } from "./store";

export interface Loaded<T> {
  data: T | null;
  error: Error | null;
  loading: boolean;
  reload: () => void;
}

const IDLE_MS = 60_000;
const ASLEEP_MS = 600_000;
let lastInput = Date.now();
for (const event of ["pointerdown", "keydown", "wheel", "touchstart"])
  window.addEventListener(event, () => (lastInput = Date.now()), { passive: true, capture: true });

/** How long to wait before the next look: longer if nobody uses the page; null once it sleeps. */
export function nextLook(seconds: number, now = Date.now()): number | null {
  const idle = now - lastInput;
  if (idle > ASLEEP_MS) return null;
  return idle > IDLE_MS ? Math.max(30_000, seconds * 1000) : seconds * 1000;
}

/**
 * Make a call when `key` changes, and again every `seconds` (0: never). What was loaded stays while it is loaded again
 * for the same key.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>, seconds?: number): Loaded<T> {
  const { refresh } = useStore(settings);
  const every = seconds ?? refresh;
  const [state, setState] = useState<{ key: string; data: T | null; error: Error | null; loading: boolean }>({
    key,
    data: null,
    error: null,
    loading: true,
  });
  const latest = useRef(load);
  latest.current = load;
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    let timer = 0;
    const look = async (): Promise<void> => {
      setState((old) => (old.key === key ? { ...old, loading: true } : { key, data: null, error: null, loading: true }));
      try {
        const data = await latest.current(control.signal);
        if (!control.signal.aborted) setState({ key, data, error: null, loading: false });
      } catch (error) {
        if (control.signal.aborted) return;
        setState((old) => ({ key, data: old.key === key ? old.data : null, error: error as Error, loading: false }));
      }
      plan();
    };
    const plan = (): void => {
      if (every <= 0 || control.signal.aborted) return;
      const wait = document.hidden ? null : nextLook(every);
      if (wait === null) wakeUp();
      else timer = window.setTimeout(() => void look(), wait);
    };
    const wakeUp = (): void => {
      const again = (): void => {
        if (document.hidden) return;
        for (const event of ["keydown", "pointerdown"]) window.removeEventListener(event, again);
        document.removeEventListener("visibilitychange", again);
        if (!control.signal.aborted) void look();
      };
      for (const event of ["keydown", "pointerdown"]) window.addEventListener(event, again);
      document.addEventListener("visibilitychange", again);
    };
    void look();
    return () => {
      control.abort();
      window.clearTimeout(timer);
    };
  }, [key, turn, every]);
  const reload = useCallback(() => setTurn((old) => old + 1), []);
  return state.key === key
    ? { data: state.data, error: state.error, loading: state.loading, reload }
    : { data: null, error: null, loading: true, reload };
}
