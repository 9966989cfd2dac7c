// The frame of every screen: navigation, namespace, who I am, and keys.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { session, setSession } from "../api/session";
import { findOut, may, me } from "../ui/me";
import { Dialog, Problem, Skeleton } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { settings } from "../ui/settings";
import { useStore } from "../ui/store";
import { words } from "../words/en";
import { SignIn } from "./sign_in";

const PLACES: readonly (readonly [string, string, string, string])[] = [
  ["", words.now, "h", "GET /flowrun"],
  ["runs", words.runs, "r", "GET /flowrun"],
  ["inbox", words.inbox, "i", "GET /task"],
  ["flows", words.flows, "f", "GET /flow"],
  ["edit", words.edit, "e", "POST /analyze"],
  ["health", words.health, "d", "GET /doctor"],
  ["admin", words.more_, "a", "GET /event"],
];

const HUES = 8;

/** The colour of a namespace, so that no one acts in the wrong one. */
export function hueOf(name: string): number {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return sum % HUES;
}

export function Frame({ children }: { children: ComponentChildren }): JSX.Element {
  const who = useStore(me);
  const { token, namespace } = useStore(session);
  const place = usePlace();
  const [error, setError] = useState<Error | null>(null);
  const [help, setHelp] = useState(false);
  const look = (): void => {
    setError(null);
    findOut().catch((problem: unknown) => setError(problem as Error));
  };
  useEffect(look, [token, namespace]);
  useKeys(() => setHelp(true));
  if (error instanceof ApiError && error.status === 401) return <SignIn problem={token ? error : null} />;
  if (error) return <Problem error={error} retry={look} />;
  if (!who) return <Skeleton rows={3} />;
  const here = place.path[0] ?? "";
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        {words.skip}
      </a>
      <header class={`frame hue-${hueOf(who.namespace)}`}>
        <a class="product" href={href([])}>
          {words.product}
        </a>
        <Namespace name={who.namespace} fixed={who.auth !== "open" && who.bound} />
        <nav aria-label={words.product}>
          {PLACES.filter(([, , , callName]) => may(callName)).map(([path, name, key]) => (
            <a key={path} href={href(path ? [path] : [])} aria-current={here === path ? "page" : undefined} title={`g ${key}`}>
              {name}
            </a>
          ))}
        </nav>
        <span class="who">
          {who.auth === "open" ? <span class="open">{words.open}</span> : `${who.by} · ${who.role}`}
          <button type="button" class="quiet" aria-label={words.help} title={`${words.help} (?)`} onClick={() => setHelp(true)}>
            ?
          </button>
          <a href={href(["settings"])} aria-label={words.settings} title={words.settings}>
            ⚙
          </a>
          {token ? (
            <button type="button" class="quiet" onClick={() => setSession({ token: "" })}>
              {words.signOut}
            </button>
          ) : null}
        </span>
      </header>
      {who.auth === "open" ? <p class="banner">{words.openServer}</p> : null}
      {who.auth === "iam" ? <p class="banner">{words.iam}</p> : null}
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {help ? <Keys close={() => setHelp(false)} /> : null}
    </>
  );
}

function Namespace({ name, fixed }: { name: string; fixed: boolean }): JSX.Element {
  const [text, setText] = useState<string | null>(null);
  if (fixed || text === null)
    return (
      <button type="button" class="namespace" disabled={fixed} title={words.namespace} onClick={() => setText(name)}>
        {name}
      </button>
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setSession({ namespace: text.trim() });
        setText(null);
      }}
    >
      <input aria-label={words.namespace} value={text} maxLength={63} pattern="[a-z0-9-]+" autoFocus onInput={(event) => setText(event.currentTarget.value)} onBlur={() => setText(null)} />
    </form>
  );
}

/** Whether keys belong to a field, so that shortcuts must not take them. */
export function inField(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return Boolean(element?.closest?.("input, textarea, select, [contenteditable], .editor, dialog"));
}

function useKeys(help: () => void): void {
  useEffect(() => {
    let pending = false;
    const listen = (event: KeyboardEvent): void => {
      if (!settings.value.shortcuts || inField(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (pending) {
        const found = PLACES.find(([, , key]) => key === event.key);
        pending = false;
        if (found) {
          event.preventDefault();
          go(found[0] ? [found[0]] : []);
        }
      } else if (event.key === "g") pending = true;
      else if (event.key === "?") help();
      else if (event.key === "/") {
        const field = document.querySelector<HTMLElement>("[data-find]");
        if (field) {
          event.preventDefault();
          field.focus();
        }
      }
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}

function Keys({ close }: { close: () => void }): JSX.Element {
  return (
    <Dialog title={words.help} close={close}>
      <dl class="keys">
        {PLACES.map(([path, name, key]) => (
          <div key={path}>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{name}</dd>
          </div>
        ))}
        {words.keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
