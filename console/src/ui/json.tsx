// JSON as a tree that opens level by level. Masked values have a lock.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Json } from "../api/types";
import { words } from "../words/en";
import { Copy } from "./parts";
import { bytes, plain } from "./text";

const MASKED = "***";
const MAX_SHOWN = 100;
const MAX_CHARACTERS = 2_000;

export function JsonView({ value, open = 2 }: { value: Json; open?: number }): JSX.Element {
  return (
    <div class="json">
      <div class="json-tools">
        <Copy text={JSON.stringify(value, null, 2)} />
      </div>
      <Value value={value} open={open} />
    </div>
  );
}

function Value({ value, open }: { value: Json; open: number }): JSX.Element {
  if (value === null || typeof value !== "object") return <Leaf value={value} />;
  const entries = Array.isArray(value) ? value.map((one, n) => [String(n), one] as const) : Object.entries(value);
  if (isReference(value)) return <Reference value={value} />;
  if (!entries.length) return <span class="faint">{Array.isArray(value) ? "[]" : "{}"}</span>;
  return <Branch entries={entries} list={Array.isArray(value)} open={open} />;
}

function Branch(props: { entries: readonly (readonly [string, Json])[]; list: boolean; open: number }): JSX.Element {
  const [shown, setShown] = useState(MAX_SHOWN);
  return (
    <ul class={props.list ? "list" : "map"}>
      {props.entries.slice(0, shown).map(([name, one]) => (
        <Member key={name} name={name} value={one} open={props.open - 1} />
      ))}
      {props.entries.length > shown ? (
        <li>
          <button type="button" class="quiet" onClick={() => setShown(shown + 1000)}>
            {words.more(props.entries.length - shown)}
          </button>
        </li>
      ) : null}
    </ul>
  );
}

function Member({ name, value, open }: { name: string; value: Json; open: number }): JSX.Element {
  const [isOpen, setOpen] = useState(open > 0);
  const nested = value !== null && typeof value === "object" && Object.keys(value).length > 0 && !isReference(value);
  if (!nested)
    return (
      <li>
        <span class="key">{plain(name)}</span> <Value value={value} open={0} />
      </li>
    );
  return (
    <li>
      <button type="button" class="fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span> <span class="key">{plain(name)}</span>{" "}
        <span class="faint">{Array.isArray(value) ? `[${value.length}]` : `{${Object.keys(value).length}}`}</span>
      </button>
      {isOpen ? <Value value={value} open={open} /> : null}
    </li>
  );
}

/** A text, a number, true, false or null. */
export function Leaf({ value }: { value: Json }): JSX.Element {
  if (value === MASKED)
    return (
      <span class="masked">
        <span aria-hidden="true">🔒 </span>
        {MASKED} <span class="faint">{words.encrypted}</span>
      </span>
    );
  if (typeof value === "string") {
    const cut = value.length > MAX_CHARACTERS;
    return (
      <span class="string">
        "{plain(cut ? value.slice(0, MAX_CHARACTERS) : value)}"{cut ? <em> {words.characters(value.length)}</em> : null}
      </span>
    );
  }
  return <span class={value === null ? "faint" : "number"}>{String(value)}</span>;
}

interface LargeValue {
  $ref: string;
  bytes: number;
  preview: string;
}

function isReference(value: unknown): value is LargeValue {
  return typeof value === "object" && value !== null && typeof (value as LargeValue).$ref === "string" && "preview" in value;
}

function Reference({ value }: { value: unknown }): JSX.Element {
  const large = value as LargeValue;
  return (
    <span>
      <span class="string">{plain(String(large.preview))}…</span> <em class="faint">{bytes(large.bytes)}</em>
    </span>
  );
}
