// The frame of every screen: navigation, namespace, who I am, and keys.
import type { ComponentChildren, JSX } from "preact";
import { lazy, Suspense } from "preact/compat";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, expired, reached } from "../api/client";
import { identities, session, shownServer } from "../api/session";
import { isShortcut } from "../ui/keys";
import { findOut, may, me } from "../ui/me";
import { Dialog, Problem, showSideways, Skeleton } from "../ui/parts";
import { go, href, usePlace } from "../ui/router";
import { settings } from "../ui/settings";
import { useStore } from "../ui/store";
import { words } from "../words/en";
import { change, Identity } from "./identity";
import { MORE_PLACES, PLACES } from "./places";
import { SignIn } from "./sign_in";

const Palette = lazy(async () => ({ default: (await import("./palette")).Palette }));

const HUES = 8;
const PREFIX_MS = 1500;
const AGAIN_MS = 5000;

/** The colour of a namespace, so that no one acts in the wrong one. */
export function hueOf(name: string): number {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return sum % HUES;
}

export { inField } from "../ui/keys";

export function Frame({ children }: { children: ComponentChildren }): JSX.Element {
  const who = useStore(me);
  const { server, token, namespace } = useStore(session);
  const refused = useStore(expired);
  const [error, setError] = useState<Error | null>(null);
  const [help, setHelp] = useState(false);
  const [palette, setPalette] = useState(false);
  const look = (): void => {
    const asked = session.value;
    setError(null);
    findOut().catch((problem: unknown) => asked === session.value && setError(problem as Error));
  };
  useEffect(look, [server, token, namespace]);
  useKeys(
    () => setHelp(true),
    () => setPalette((old) => !old),
  );
  const problem = refused ?? error;
  if (problem instanceof ApiError && problem.status === 401) {
    return /SigV4|AWS signature/.test(problem.message) ? <Stop /> : <SignIn problem={token ? problem : null} />;
  }
  if (problem) return <NoStart problem={problem} again={look} />;
  if (!who) return <Skeleton rows={3} />;
  return (
    <div class={`hue-${hueOf(who.namespace)}`}>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        {words.skip}
      </a>
      <header class="frame">
        <a class="product" href={href([])}>
          {words.product}
        </a>
        <Namespace name={who.namespace} fixed={who.auth !== "open" && who.bound} />
        <Navigation />
        <span class="who">
          <button type="button" class="quiet search" title={`${words.palette} (Ctrl K)`} onClick={() => setPalette(true)}>
            <span aria-hidden="true">⌕</span>
            <span class="visually-hidden">{words.palette}</span> <kbd>Ctrl K</kbd>
          </button>
          <button type="button" class="quiet" aria-label={words.help} title={`${words.help} (?)`} onClick={() => setHelp(true)}>
            ?
          </button>
          <a href={href(["settings"])} aria-label={words.settings} title={words.settings}>
            ⚙
          </a>
          <Identity who={who} />
        </span>
      </header>
      {who.auth === "open" ? <p class="banner">{words.openServer}</p> : null}
      <Connection />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {help ? <Keys close={() => setHelp(false)} /> : null}
      {palette ? (
        <Suspense fallback={null}>
          <Palette close={() => setPalette(false)} />
        </Suspense>
      ) : null}
    </div>
  );
}

/** Screens without a place of their own in the navigation. */
const BELONGS: Readonly<Record<string, string>> = { batch: "runs", compare: "runs", actions: "flows", start: "flows", play: "flows" };

function Navigation(): JSX.Element {
  const first = usePlace().path[0] ?? "";
  const here = BELONGS[first] ?? first;
  const list = useRef<HTMLElement>(null);
  useEffect(() => showSideways(list.current, '[aria-current="page"]'), [here]);
  return (
    <nav aria-label={words.product} ref={list}>
      {PLACES.filter((one) => may(one.call)).map((one) => (
        <a key={one.path} href={href(one.path ? [one.path] : [])} aria-current={here === one.path ? "page" : undefined} title={`g ${one.key}`}>
          {one.name}
        </a>
      ))}
    </nav>
  );
}

/** The server does not answer, or its answer is no success: nothing can be shown, but another server may be used. */
function NoStart({ problem, again }: { problem: Error; again: () => void }): JSX.Element {
  const others = useStore(identities).length > 0 || session.value.server;
  return others ? (
    <SignIn problem={problem} />
  ) : (
    <main id="main" class="sign-in">
      <h1>{words.product}</h1>
      <Problem error={problem} retry={again} />
    </main>
  );
}

/** A server that expects AWS signatures, which the page cannot make. */
function Stop(): JSX.Element {
  return (
    <main id="main" class="sign-in">
      <h1>{words.product}</h1>
      <p>{words.iam}</p>
    </main>
  );
}

/** A banner while the server cannot be reached. It is asked again every few seconds, while the page is looked at. */
function Connection(): JSX.Element | null {
  const isReached = useStore(reached);
  useEffect(() => {
    if (isReached) return;
    const ask = (): void => {
      if (!document.hidden) findOut().catch(() => undefined);
    };
    const timer = setInterval(ask, AGAIN_MS);
    window.addEventListener("online", ask);
    return () => {
      clearInterval(timer);
      window.removeEventListener("online", ask);
    };
  }, [isReached]);
  if (isReached) return null;
  return (
    <p class="banner offline" role="status">
      <strong>{words.unreachable(shownServer())}</strong> {words.unreachableHelp}
      {session.value.server ? ` ${words.otherHelp(location.origin)}` : ""}
    </p>
  );
}

function Namespace({ name, fixed }: { name: string; fixed: boolean }): JSX.Element {
  const [text, setText] = useState<string | null>(null);
  const { path } = usePlace();
  const known = useStore(identities);
  if (fixed || text === null)
    return (
      <button type="button" class="namespace" disabled={fixed} title={fixed ? words.namespace : words.otherNamespace} onClick={() => setText(name)}>
        <span class="visually-hidden">{words.namespace}</span> {name}
      </button>
    );
  const names = [...new Set(known.map((one) => one.namespace).filter(Boolean))];
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setText(null);
        if (text.trim() !== name) change({ namespace: text.trim() }, path);
      }}
    >
      <input
        class="namespace"
        aria-label={words.namespace}
        title={words.namespaceRule}
        value={text}
        maxLength={63}
        pattern="[a-z0-9][a-z0-9\-]*"
        list="namespaces"
        required
        autoFocus
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && setText(null)}
        onBlur={() => setText(null)}
      />
      <datalist id="namespaces">
        {names.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </form>
  );
}

function useKeys(help: () => void, palette: () => void): void {
  useEffect(() => {
    let since = -Infinity;
    const listen = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
        event.preventDefault();
        event.stopPropagation();
        if (me.value) palette();
        return;
      }
      if (!isShortcut(event)) return;
      const isSecond = event.timeStamp - since < PREFIX_MS;
      since = -Infinity;
      if (isSecond) {
        const found = [...PLACES, ...MORE_PLACES].find((one) => one.key === event.key);
        if (!found) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        go(found.path ? [found.path] : []);
      } else if (event.key === "g") since = event.timeStamp;
      else if (event.key === "?") help();
      else if (event.key === "/") {
        const field = document.querySelector<HTMLElement>("[data-find]");
        if (field) {
          event.preventDefault();
          field.focus();
        }
      }
    };
    window.addEventListener("keydown", listen, true);
    return () => window.removeEventListener("keydown", listen, true);
  }, []);
}

function Keys({ close }: { close: () => void }): JSX.Element {
  return (
    <Dialog title={words.help} close={close}>
      {settings.value.shortcuts ? null : <p class="notice">{words.keysOff}</p>}
      <dl class="keys">
        {[...PLACES, ...MORE_PLACES]
          .filter((one) => may(one.call))
          .map((one) => (
            <div key={one.path}>
              <dt>
                <kbd>g</kbd> <kbd>{one.key}</kbd>
              </dt>
              <dd>
                {words.go} {one.name}
              </dd>
            </div>
          ))}
        {[...words.paletteKeys, ...words.keys, ...words.editKeys].map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split(" ").map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

