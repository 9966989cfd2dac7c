// Loading: a call whose answer a component shows, made again every few seconds while the page is looked at.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { settings } from "./settings";
import { useStore } from "./store";
import { rest, together } from "./together";

export interface Loaded<T> {
  data: T | null;
  error: Error | null;
  loading: boolean;
  reload: () => void;
}

const IDLE_MS = 60_000;
const ASLEEP_MS = 600_000;
const USED_MS = 5_000;
let lastInput = Date.now();
let lastTold = 0;
const sleepers = new Set<() => void>();
const tabs = new BroadcastChannel("echoer used");

function used(): void {
  lastInput = Date.now();
  for (const wake of [...sleepers]) wake();
}

tabs.onmessage = used;
for (const event of ["pointerdown", "keydown", "wheel", "touchstart"])
  window.addEventListener(
    event,
    () => {
      used();
      if (lastInput - lastTold < USED_MS) return;
      lastTold = lastInput;
      tabs.postMessage(null); // the tab that looks for all of them may be another one
    },
    { passive: true, capture: true },
  );

/** How long to wait before the next look: longer if nobody uses the page; null once it sleeps. */
export function nextLook(seconds: number, now = Date.now()): number | null {
  const idle = now - lastInput;
  if (idle > ASLEEP_MS) return null;
  return idle > IDLE_MS ? Math.max(30_000, seconds * 1000) : seconds * 1000;
}

/**
 * Make a call when `key` changes, and again every `seconds` (0: never). What was loaded stays while it is loaded again
 * for the same key. Of the tabs that show the same `key`, one makes the repeated calls.
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
    const show = (data: T): void => {
      if (!control.signal.aborted) setState({ key, data, error: null, loading: false });
    };
    const look = async (signal: AbortSignal): Promise<T> => {
      setState((old) => (old.key === key ? { ...old, loading: true } : { key, data: null, error: null, loading: true }));
      try {
        const data = await latest.current(signal);
        show(data);
        return data;
      } catch (error) {
        if (!control.signal.aborted) setState((old) => ({ key, data: old.key === key ? old.data : null, error: signal.aborted ? null : (error as Error), loading: false }));
        throw error;
      }
    };
    const repeat = async (passOn: (data: T) => void, signal: AbortSignal): Promise<void> => {
      for (;;) {
        await untilNextLook(every, signal);
        if (signal.aborted) return;
        passOn(await look(signal));
      }
    };
    let end = (): void => {};
    const begin = async (): Promise<void> => {
      await look(control.signal).catch(() => null);
      if (every > 0 && !control.signal.aborted) end = together<T>(`load ${key}`, show, repeat);
    };
    void begin();
    return () => {
      control.abort();
      end();
    };
  }, [key, turn, every]);
  const reload = useCallback(() => setTurn((old) => old + 1), []);
  return state.key === key
    ? { data: state.data, error: state.error, loading: state.loading, reload }
    : { data: null, error: null, loading: true, reload };
}

/** Wait until it is time to look again; if the page is not used, until it is. */
async function untilNextLook(seconds: number, signal: AbortSignal): Promise<void> {
  const wait = nextLook(seconds);
  if (wait !== null) return rest(signal, wait);
  return new Promise((resolve) => {
    const again = (): void => {
      sleepers.delete(again);
      signal.removeEventListener("abort", again);
      resolve();
    };
    sleepers.add(again);
    signal.addEventListener("abort", again);
  });
}

/** A value that changes at most every so many milliseconds; its last change is never lost. */
export function useRested<T>(value: T, milliseconds: number): T {
  const [shown, setShown] = useState(value);
  const changed = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, changed.current + milliseconds - Date.now());
    const timer = setTimeout(() => {
      changed.current = Date.now();
      setShown(value);
    }, wait);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return shown;
}
