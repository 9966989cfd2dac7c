// The command palette: screens, runs, flows, actions and commands by name.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call } from "../api/client";
import { identities, isSame, session, shownServer, signOut } from "../api/session";
import type { Definition, RunSummary } from "../api/types";
import { may } from "../ui/me";
import { Dialog } from "../ui/parts";
import { go, usePlace } from "../ui/router";
import { setSettings } from "../ui/settings";
import { plain } from "../ui/text";
import { words } from "../words/en";
import { change } from "./identity";
import { MORE_PLACES, PLACES } from "./places";

interface Item {
  id: string;
  group: keyof typeof words.groups;
  title: string;
  detail?: string;
  act: () => void;
}

const WAIT_MS = 120;
const MAX_SHOWN = 8;

/** How well the text matches: 0 from the beginning, 1 within, 2 its letters in this order, null not at all. */
export function rank(title: string, text: string): number | null {
  const [where, wanted] = [title.toLowerCase(), text.trim().toLowerCase()];
  if (where.startsWith(wanted)) return 0;
  if (where.includes(wanted)) return 1;
  let at = -1;
  for (const char of wanted.replace(/\s+/g, "")) {
    at = where.indexOf(char, at + 1);
    if (at < 0) return null;
  }
  return 2;
}

function best(items: readonly Item[], text: string): Item[] {
  const ranked = items.flatMap((item) => {
    const found = rank(item.title, text);
    return found === null ? [] : [{ item, found }];
  });
  return ranked
    .sort((one, other) => one.found - other.found)
    .slice(0, MAX_SHOWN)
    .map(({ item }) => item);
}

export function Palette({ close }: { close: () => void }): JSX.Element {
  const { path } = usePlace();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [flows, actions] = [useNames("flow"), useNames("action")];
  const runs = useRuns(text);
  const list = useRef<HTMLUListElement>(null);
  const items = useMemo(
    () => [...best(screens(), text), ...runs, ...best(definitions("flow", flows), text), ...best(definitions("action", actions), text), ...best(commands(flows, path), text), ...typed(text)],
    [text, runs, flows, actions],
  );
  const now = items[Math.min(at, items.length - 1)];
  useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }), [now?.id]);
  const act = (item: Item | undefined): void => {
    if (!item) return;
    close();
    item.act();
  };
  const press = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && items.length) {
      event.preventDefault();
      setAt((Math.min(at, items.length - 1) + by + items.length) % items.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      act(now);
    }
  };
  return (
    <Dialog title={words.palette} close={close}>
      <input
        class="palette"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={now ? `palette-${now.id}` : undefined}
        aria-label={words.paletteHint}
        placeholder={words.paletteHint}
        autocomplete="off"
        spellcheck={false}
        autoFocus
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={press}
      />
      <ul id="palette-list" class="palette" role="listbox" aria-label={words.palette} ref={list}>
        {items.map((item, n) => (
          <li key={item.id} id={`palette-${item.id}`} role="option" aria-selected={item === now} onClick={() => act(item)} onPointerMove={() => setAt(n)}>
            <span>{plain(item.title)}</span>
            <span class="faint">{plain(item.detail ?? words.groups[item.group])}</span>
          </li>
        ))}
      </ul>
      {items.length ? null : <p class="faint">{words.paletteEmpty(plain(text))}</p>}
    </Dialog>
  );
}

function screens(): Item[] {
  return [...PLACES, ...MORE_PLACES].filter((one) => may(one.call)).map((one) => ({ id: `screen-${one.path}`, group: "screens", title: one.name, act: () => go(one.path ? [one.path] : []) }));
}

function definitions(kind: "flow" | "action", names: readonly string[]): Item[] {
  const group = `${kind}s` as const;
  return names.map((name) => ({ id: `${kind}-${name}`, group, title: name, act: () => go([group, name]) }));
}

function commands(flows: readonly string[], path: readonly string[]): Item[] {
  const found: Item[] = [];
  const add = (id: string, title: string, act: () => void): number => found.push({ id, group: "commands", title, act });
  for (const name of flows) {
    if (may("POST /flow/{name}/runs")) add(`start-${name}`, words.startFlow(name), () => go(["start", name]));
    if (may("POST /play")) add(`play-${name}`, words.playFlow(name), () => go(["play", name]));
    if (may("POST /fsl")) add(`edit-${name}`, words.editFlow(name), () => go(["edit"], { flow: name }));
  }
  for (const theme of ["system", "light", "dark"] as const) add(`theme-${theme}`, words.useTheme(words[theme]), () => setSettings({ theme }));
  for (const [n, one] of identities.value.entries())
    if (!isSame(one, session.value)) add(`identity-${n}`, words.identity(one.who, shownServer(one.server)), () => change(one, path));
  if (session.value.token) add("sign-out", words.signOut, signOut);
  return found;
}

/** What was typed, as a run's name or as a command of the terminal: always the last choices. */
function typed(text: string): Item[] {
  const wanted = text.trim();
  const found: Item[] = [];
  if (!wanted) return found;
  if (may("GET /flowrun/{name}")) found.push({ id: "typed-run", group: "runs", title: words.openRun(wanted), act: () => go(["runs", wanted]) });
  if (may("POST /command")) found.push({ id: "typed-command", group: "commands", title: words.inTerminal(wanted), act: () => go(["terminal"], { command: wanted }) });
  return found;
}

function useNames(kind: "flow" | "action"): string[] {
  const [names, setNames] = useState<string[]>([]);
  useEffect(() => {
    if (!may(`GET /${kind}`)) return;
    const control = new AbortController();
    call<Definition[]>("GET", `/${kind}`, { query: { limit: 100 }, signal: control.signal }).then(
      (found) => setNames(found.data.map((one) => one.metadata.name)),
      () => undefined,
    );
    return () => control.abort();
  }, [kind]);
  return names;
}

/** Runs with a name that begins with the text. */
function useRuns(text: string): Item[] {
  const [runs, setRuns] = useState<Item[]>([]);
  const wanted = text.trim();
  useEffect(() => {
    setRuns((old) => old.filter((one) => one.title.startsWith(wanted)));
    if (!wanted || !may("GET /flowrun")) return;
    const control = new AbortController();
    const timer = setTimeout(() => {
      call<RunSummary[]>("GET", "/flowrun", { query: { name_prefix: wanted, view: "summary", limit: MAX_SHOWN }, signal: control.signal }).then(
        (found) => setRuns(found.data.map(({ metadata, spec }) => ({ id: `run-${metadata.name}`, group: "runs", title: metadata.name, detail: `${spec.flow} · ${spec.status}`, act: () => go(["runs", metadata.name]) }))),
        () => undefined,
      );
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [wanted]);
  return runs;
}
