// The terminal: commands and FSL statements, as text (`POST /command`).
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../api/client";
import { scope } from "../api/session";
import type { Definition, RunSummary } from "../api/types";
import { useLoad } from "../ui/load";
import { may } from "../ui/me";
import { Copy, Empty, Problem, useTitle } from "../ui/parts";
import { usePlace } from "../ui/router";
import { plain } from "../ui/text";
import { words } from "../words/en";

interface Reply {
  reply: string;
  raw: string;
}

interface Line {
  sent: string;
  found: Reply | null;
  error: Error | null;
}

const MAX_LINES = 200;
const TYPES = ["flowrun", "flow", "action", "step", "event", "schedule", "hook", "config"];
const sentBefore = new Map<string, string[]>();

/** What is known of a verb: its usage, such as `run FLOW [NAME=VALUE]...`. */
export function usages(help: string): Map<string, string> {
  const found = [...help.matchAll(/^ {2}([a-z]+)( .*)?$/gm)].map(([line, verb = ""]) => [verb, line.trim()] as const);
  return new Map(found.filter(([verb]) => !verb.endsWith("_end")));
}

/** What the word at the end of the text may be: a verb, or the placeholder of the usage at its place. */
export function expected(text: string, known: ReadonlyMap<string, string>): { word: string; what: string } {
  const parts = text.split(/\s+/);
  const word = parts[parts.length - 1] ?? "";
  if (parts.length === 1) return { word, what: "VERB" };
  const usage = known.get(parts[0]?.toLowerCase() ?? "")?.split(" | ")[0]?.split(" ") ?? [];
  const what = (usage[parts.length - 1] ?? "").replace(/[^A-Z.]/g, "");
  return { word, what: what === "NAME" && usage[1] === "TYPE" ? `NAME ${parts[1] ?? ""}` : what };
}

async function names(what: string, word: string, signal: AbortSignal): Promise<string[]> {
  const kind = { FLOW: "flow", "NAME flow": "flow", "NAME action": "action", "NAME schedule": "schedule" }[what];
  if (kind) return (await call<Definition[]>("GET", `/${kind}`, { query: { limit: 100 }, signal })).data.map((one) => one.metadata.name).filter((name) => name.startsWith(word));
  if (!/^(RUN|RUN\.STEP|NAME flowrun)$/.test(what)) return [];
  const query = { ...(word ? { name_prefix: word } : {}), view: "summary", limit: 8 };
  return (await call<RunSummary[]>("GET", "/flowrun", { query, signal })).data.map((one) => one.metadata.name);
}

function useOffers(text: string, known: ReadonlyMap<string, string>): string[] {
  const [offers, setOffers] = useState<string[]>([]);
  const { word, what } = expected(text, known);
  useEffect(() => {
    setOffers([]);
    if (text.includes("\n")) return;
    if (what === "VERB" || what === "TYPE") {
      const all = what === "VERB" ? [...known.keys()] : TYPES;
      setOffers(word || what === "TYPE" ? all.filter((one) => one.startsWith(word.toLowerCase()) && one !== word) : []);
      return;
    }
    const control = new AbortController();
    const timer = setTimeout(() => {
      names(what, word, control.signal).then(
        (found) => setOffers(found.filter((one) => one !== word)),
        () => undefined,
      );
    }, 120);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [text, known]);
  return offers.slice(0, 8);
}

export function Terminal(): JSX.Element {
  useTitle(words.terminal);
  const given = usePlace().query.get("command") ?? "";
  const key = scope();
  const [text, setText] = useState(given);
  const [lines, setLines] = useState<Line[]>([]);
  const [isBusy, setBusy] = useState(false);
  const [hidden, setHidden] = useState(false);
  const place = useRef(-1);
  const field = useRef<HTMLTextAreaElement>(null);
  const log = useRef<HTMLDivElement>(null);
  const help = useLoad(`help ${key}`, async (signal) => usages((await call<Reply>("POST", "/command", { body: { command: "help" }, signal })).data.raw), 0);
  const known = help.data ?? new Map<string, string>();
  const offers = useOffers(text, known);
  const shown = hidden ? [] : offers;
  const usage = known.get(text.trimStart().split(/\s/)[0]?.toLowerCase() ?? "");
  useEffect(() => setText(given), [given]);
  useEffect(() => log.current?.scrollTo({ top: log.current.scrollHeight }), [lines]);
  const change = (next: string): void => {
    setText(next);
    setHidden(false);
    place.current = -1;
  };
  const send = async (): Promise<void> => {
    const sent = text.trim();
    if (!sent || isBusy) return;
    const before = sentBefore.get(key) ?? [];
    sentBefore.set(key, [sent, ...before.filter((one) => one !== sent)].slice(0, MAX_LINES));
    setBusy(true);
    change("");
    let line: Line;
    try {
      line = { sent, found: (await call<Reply>("POST", "/command", { body: { command: sent } })).data, error: null };
    } catch (problem) {
      line = { sent, found: null, error: problem as Error };
    }
    setLines((old) => [...old, line].slice(-MAX_LINES));
    setBusy(false);
    field.current?.focus();
  };
  const complete = (offer: string): void => {
    change(`${text.slice(0, text.length - expected(text, known).word.length)}${offer} `);
    field.current?.focus();
  };
  const press = (event: KeyboardEvent): void => {
    const first = shown[0];
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void send();
    } else if (event.key === "Tab" && first && !event.shiftKey) {
      event.preventDefault();
      complete(first);
    } else if (event.key === "Escape") setHidden(true);
    else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && !text.includes("\n")) {
      const before = sentBefore.get(key) ?? [];
      const next = place.current + (event.key === "ArrowUp" ? 1 : -1);
      if (next >= before.length || next < -1) return;
      event.preventDefault();
      change(before[next] ?? "");
      place.current = next;
      setHidden(true);
    }
  };
  return (
    <>
      <div class="title">
        <h1>{words.terminal}</h1>
        {lines.length ? (
          <span class="actions">
            <button type="button" onClick={() => setLines([])}>
              {words.clear}
            </button>
          </span>
        ) : null}
      </div>
      <div class="terminal">
        <div class="log" ref={log} role="log" aria-label={words.terminalLog} tabIndex={0}>
          {lines.length ? lines.map((line, n) => <Output key={n} line={line} />) : <Empty title={words.terminalEmpty} />}
        </div>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void send();
          }}
        >
          <span aria-hidden="true">›</span>
          <textarea
            ref={field}
            data-find
            rows={Math.min(12, text.split("\n").length)}
            value={text}
            aria-label={words.terminalInput}
            aria-describedby="terminal-help"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            autoFocus
            onInput={(event) => change(event.currentTarget.value)}
            onKeyDown={press}
          />
          <button type="submit" class="primary" disabled={isBusy || !text.trim() || !may("POST /command")} title={may("POST /command") ? undefined : words.needsRole("POST /command")}>
            {words.send}
          </button>
        </form>
        <p class="offers" aria-live="polite">
          {usage ? <code>{usage}</code> : null}
          {shown.map((one) => (
            <button key={one} type="button" class="chip" onClick={() => complete(one)}>
              {plain(one)}
            </button>
          ))}
        </p>
        <p id="terminal-help" class="faint">
          {words.terminalHelp}
        </p>
      </div>
    </>
  );
}

function Output({ line }: { line: Line }): JSX.Element {
  return (
    <div class={`output${line.found?.reply === "ERR" || line.error ? " failed" : ""}`}>
      <p class="sent">
        <span aria-hidden="true">›</span> <code>{plain(line.sent)}</code>
        {line.found?.raw ? <Copy text={line.found.raw} /> : null}
      </p>
      {line.error ? <Problem error={line.error} /> : <pre>{plain(line.found?.raw ?? "")}</pre>}
    </div>
  );
}
