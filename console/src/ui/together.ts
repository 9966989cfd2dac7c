// Tabs of one browser look together: one of them asks the server, and passes on what it found. A browser makes
// six requests to a server at the same time, so six tabs that each wait for news would block every other request.
import { session } from "../api/session";

/** How many requests of this browser wait for news at the same time; further ones do not wait. */
const PATIENT_REQUESTS = 3;

/**
 * Have one tab do `work`, the one that is in view and came first, and pass on what it finds to `hear` in the others.
 *
 * `work` ends when its signal does, or when there is nothing more to do. If it fails, another tab has its turn. Without
 * locks (a page that is not loaded securely) every tab works for itself. Returns what ends it.
 */
export function together<T>(topic: string, hear: (found: T) => void, work: (passOn: (found: T) => void, signal: AbortSignal) => Promise<void>): () => void {
  const control = new AbortController();
  const follow = async (): Promise<void> => {
    const place = await placeOf(topic);
    if (control.signal.aborted) return;
    const channel = place === null ? null : new BroadcastChannel(place);
    if (channel) channel.onmessage = (event: MessageEvent<T>) => hear(event.data);
    control.signal.addEventListener("abort", () => channel?.close());
    const passOn = (found: T): void => {
      if (!control.signal.aborted) channel?.postMessage(found);
    };
    while (!control.signal.aborted) {
      await inView(control.signal);
      const turn = turnOf(control.signal);
      try {
        if (place === null) await work(passOn, turn.signal);
        else await navigator.locks.request(place, { signal: turn.signal }, () => work(passOn, turn.signal));
        if (!turn.signal.aborted) return;
      } catch {
        if (!turn.signal.aborted) await rest(control.signal); // the work has shown what went wrong
      } finally {
        turn.end();
      }
    }
  };
  void follow();
  return () => control.abort();
}

/** Do `work`, which may wait for news (`true`) if not too many other requests do. */
export async function patiently<T>(work: (isPatient: boolean) => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return work(true);
  for (let n = 0; n < PATIENT_REQUESTS; n++) {
    const found = await navigator.locks.request(`echoer waits ${n}`, { ifAvailable: true }, async (lock) => (lock ? { value: await work(true) } : null));
    if (found) return found.value;
  }
  return work(false);
}

/** The name that tabs with the same server, token and namespace share for a topic; null if tabs cannot share. */
async function placeOf(topic: string): Promise<string | null> {
  if (!("locks" in navigator) || !crypto.subtle) return null;
  const { kept: _, ...who } = session.value;
  const text = JSON.stringify([document.baseURI, who, topic]);
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `echoer ${[...sum].map((one) => one.toString(16).padStart(2, "0")).join("")}`;
}

/** A turn lasts while the tab is in view. */
function turnOf(whole: AbortSignal): { signal: AbortSignal; end: () => void } {
  const control = new AbortController();
  const look = (): void => {
    if (document.hidden) control.abort();
  };
  const end = (): void => control.abort();
  document.addEventListener("visibilitychange", look);
  whole.addEventListener("abort", end);
  return {
    signal: control.signal,
    end: () => {
      document.removeEventListener("visibilitychange", look);
      whole.removeEventListener("abort", end);
    },
  };
}

function inView(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (!document.hidden || signal.aborted) return resolve();
    const look = (): void => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });
}

const REST_MS = 3_000;

/** Wait; shorter if the signal ends it. */
export function rest(signal: AbortSignal, milliseconds = REST_MS): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      window.clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = window.setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
