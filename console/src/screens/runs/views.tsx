// Views: filters and columns with a name. They are kept on this computer; a link shares them.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Popup } from "../../ui/popup";
import { Copy } from "../../ui/parts";
import { go, href } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { COLUMNS, columnsOf, keepColumns } from "./columns";

interface View {
  name: string;
  query: string;
}

const KEY = "echoer.views";
const MAX_NAME = 60;

function read(): View[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.flatMap((one: Partial<View>) => (typeof one?.name === "string" && typeof one.query === "string" ? [{ name: one.name, query: one.query }] : [])) : [];
  } catch {
    return [];
  }
}

/** The link to what is on the screen, with its columns. */
function linkOf(query: URLSearchParams): string {
  const next = new URLSearchParams(query);
  next.set("cols", columnsOf(query).map((one) => one.name).join(","));
  return new URL(href(["runs"], next), document.baseURI).href;
}

export function Views({ query }: { query: URLSearchParams }): JSX.Element {
  const [views, setViews] = useState(read);
  const [name, setName] = useState("");
  const keep = (next: View[]): void => {
    localStorage.setItem(KEY, JSON.stringify(next));
    setViews(next);
  };
  const save = (event: Event): void => {
    event.preventDefault();
    const wanted = name.trim().slice(0, MAX_NAME);
    if (!wanted) return;
    const kept = new URLSearchParams(query);
    kept.set("cols", columnsOf(query).map((one) => one.name).join(","));
    keep([...views.filter((one) => one.name !== wanted), { name: wanted, query: kept.toString() }].sort((a, b) => a.name.localeCompare(b.name)));
    setName("");
  };
  return (
    <Popup label={words.views} stays>
        {views.map((one) => (
          <span key={one.name} class="view">
            <a href={href(["runs"], new URLSearchParams(one.query))}>{plain(one.name)}</a>
            <button type="button" class="quiet" aria-label={words.forgetView(one.name)} onClick={() => keep(views.filter((other) => other.name !== one.name))}>
              ✕
            </button>
          </span>
        ))}
        {views.length ? null : <p class="faint">{words.noViews}</p>}
        <form class="view" onSubmit={save}>
          <input value={name} maxLength={MAX_NAME} placeholder={words.nameOfView} aria-label={words.nameOfView} onInput={(event) => setName(event.currentTarget.value)} />
          <button type="submit" disabled={!name.trim()}>
            {words.save}
          </button>
        </form>
        <Copy text={linkOf(query)} label={words.copyLink} />
    </Popup>
  );
}

export function ColumnChoice({ query }: { query: URLSearchParams }): JSX.Element {
  const chosen = columnsOf(query).map((one) => one.name);
  const toggle = (name: string): void => {
    const names = COLUMNS.map((one) => one.name).filter((one) => (one === name ? !chosen.includes(one) : chosen.includes(one)));
    keepColumns(names);
    const next = new URLSearchParams(query);
    next.set("cols", names.join(","));
    go(["runs"], next, true);
  };
  return (
    <Popup label={words.columns} stays>
        {COLUMNS.map((one) => (
          <label key={one.name} class="check">
            <input type="checkbox" checked={chosen.includes(one.name)} disabled={one.name === "name"} onChange={() => toggle(one.name)} /> {one.label}
          </label>
        ))}
    </Popup>
  );
}
