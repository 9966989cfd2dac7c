// Small parts that every screen uses.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, Offline } from "../api/client";
import { words } from "../words/en";
import { settings } from "./settings";
import { useStore } from "./store";
import { ago, moment, plain } from "./text";

const ICONS: Record<string, string> = {
  pending: "◌",
  running: "▶",
  paused: "⏸",
  compensating: "↺",
  completing: "▶",
  succeeded: "✓",
  failed: "✕",
  canceling: "■",
  canceled: "■",
};

/** The status of a run: an icon and a word, so that no one has to tell colours apart. */
export function Status({ status }: { status: string }): JSX.Element {
  return (
    <span class={`badge ${status}`}>
      <span aria-hidden="true">{ICONS[status] ?? "·"}</span> {status}
    </span>
  );
}

/** A moment, relative to now; its title is the exact time. */
export function When({ at }: { at: string | null }): JSX.Element {
  useStore(settings);
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((old) => old + 1), 10_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <span class="faint">–</span>;
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at)}
    </time>
  );
}

/** What went wrong, in the server's words. */
export function Problem({ error, retry }: { error: Error; retry?: () => void }): JSX.Element {
  const api = error instanceof ApiError ? error : null;
  const [left, setLeft] = useState(api?.retryAfter ?? 0);
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => {
      if (left === 1) retry?.();
      setLeft(left - 1);
    }, 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{error instanceof Offline ? words.offline : plain(error.message)}</strong>
      </p>
      {api?.diagnostics.length ? (
        <ul>
          {api.diagnostics.map((one) => (
            <li key={`${one.line}:${one.column}${one.code}`}>
              {one.line}:{one.column} {one.message} <code>{one.code}</code>
            </li>
          ))}
        </ul>
      ) : null}
      {api ? (
        <p class="faint">
          {api.code} · HTTP {api.status}
          {api.requestId ? ` · ${api.requestId}` : ""}
        </p>
      ) : null}
      {retry ? (
        <button type="button" onClick={retry}>
          {left > 0 ? words.retryIn(left) : words.tryAgain}
        </button>
      ) : null}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p>
        <strong>{title}</strong>
      </p>
      {children}
    </div>
  );
}

/** Rows that are not loaded yet; seen only if loading takes a while. */
export function Skeleton({ rows = 6 }: { rows?: number }): JSX.Element {
  return (
    <div class="skeleton" role="status" aria-label={words.loading}>
      {Array.from({ length: rows }, (_, n) => (
        <div key={n} />
      ))}
    </div>
  );
}

/** A button that copies a text, and says that it did. */
export function Copy({ text, label = words.copy }: { text: string; label?: string }): JSX.Element {
  const [done, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <button type="button" class="quiet" onClick={() => void copy()}>
      {done ? words.copied : label}
    </button>
  );
}

/** A modal dialog. Escape closes it; the focus returns to where it was. */
export function Dialog(props: { title: string; close: () => void; children: ComponentChildren; wide?: boolean }): JSX.Element {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const dialog = box.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      before?.focus();
    };
  }, []);
  return (
    <dialog ref={box} class={props.wide ? "wide" : ""} aria-label={props.title} onCancel={(event) => (event.preventDefault(), props.close())}>
      <header>
        <h2>{props.title}</h2>
        <button type="button" class="quiet" aria-label={words.close} onClick={props.close}>
          ✕
        </button>
      </header>
      {props.children}
    </dialog>
  );
}

/** Scroll a row sideways, and nothing else, so that the element is in its middle. */
export function showSideways(row: HTMLElement | null, selector: string): void {
  const found = row?.querySelector<HTMLElement>(selector);
  if (row && found) row.scrollLeft = found.offsetLeft - row.offsetLeft - (row.clientWidth - found.clientWidth) / 2;
}

/** Tabs; the arrow keys move between them. */
export function Tabs<T extends string>(props: { tabs: readonly (readonly [T, string])[]; at: T; go: (tab: T) => void; label: string }): JSX.Element {
  const move = (event: KeyboardEvent, n: number): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const next = props.tabs[(n + step + props.tabs.length) % props.tabs.length];
    if (!next) return;
    props.go(next[0]);
    const list = (event.currentTarget as HTMLElement).parentElement;
    (list?.children[(n + step + props.tabs.length) % props.tabs.length] as HTMLElement | undefined)?.focus();
  };
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => showSideways(list.current, '[aria-selected="true"]'), [props.at]);
  return (
    <div class="tabs" role="tablist" aria-label={props.label} ref={list}>
      {props.tabs.map(([id, name], n) => (
        <button
          key={id}
          type="button"
          role="tab"
          aria-selected={id === props.at}
          tabIndex={id === props.at ? 0 : -1}
          onKeyDown={(event) => move(event, n)}
          onClick={() => props.go(id)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

/** The title of the page. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${plain(title)} · Echoer` : "Echoer";
  }, [title]);
}
