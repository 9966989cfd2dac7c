// A machine of AWS Step Functions, from a file: the server converts it, and the text goes into the editor.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../../api/client";
import { may } from "../../ui/me";
import { Problem } from "../../ui/parts";
import { plain } from "../../ui/text";
import { words } from "../../words/en";

interface Found {
  fsl: string;
  name: string;
  problems: { pointer: string; level: "error" | "warning" | "note"; message: string }[];
}

interface Source {
  file: string;
  asl: string;
}

const SUFFIXES = /\.(asl|json|ya?ml)$/i;
const YAML = /\.ya?ml$/i;
const ALL_SUFFIXES = /(\.(asl|json|ya?ml|sfn))+$/i;
const PLACEHOLDER = /\$\{([^{}\s"]+)\}/g;
const SHOWN = 200;
const MAX_BYTES = 1_048_576;

/** The JSON text of a definition. YAML is read here, as the server reads JSON only. */
async function read(file: File): Promise<Source> {
  if (file.size > MAX_BYTES) throw new Error(words.machineTooLarge(file.name));
  const text = await file.text();
  if (!YAML.test(file.name)) return { file: file.name, asl: text };
  const { load, CORE_SCHEMA } = await import("js-yaml");
  return { file: file.name, asl: JSON.stringify(load(text, { schema: CORE_SCHEMA })) ?? "" };
}

function placeholders(asl: string): string[] {
  return [...new Set([...asl.matchAll(PLACEHOLDER)].map((one) => one[1] ?? ""))].slice(0, SHOWN);
}

/** The button *Import*, and what the last import found. A file that is dropped on the part around it is imported too. */
export function ImportMachine({ put }: { put: (text: string) => void }): JSX.Element | null {
  const [source, setSource] = useState<Source | null>(null);
  const [found, setFound] = useState<Found | null>(null);
  const [values, setValues] = useState<Record<string, string>>({});
  const [error, setError] = useState<Error | null>(null);
  const [over, setOver] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const latest = useRef(put);
  latest.current = put;

  const convert = async (given: Source, filled: Record<string, string>): Promise<void> => {
    const known = Object.fromEntries(Object.entries(filled).filter(([, value]) => value !== ""));
    const name = given.file.replace(ALL_SUFFIXES, "");
    const { data } = await call<Found>("POST", "/import", { body: { asl: given.asl, name, values: known } });
    setFound(data);
    if (data.fsl) latest.current(data.fsl);
  };
  const take = (file: File | null | undefined): void => {
    if (!file) return;
    setError(null);
    setFound(null);
    setValues({});
    read(file)
      .then((given) => {
        setSource(given);
        return convert(given, {});
      })
      .catch((problem: unknown) => setError(problem as Error));
  };

  useEffect(() => {
    const part = root.current?.parentElement;
    if (!part || !may("POST /import")) return;
    const control = new AbortController();
    const options = { capture: true, signal: control.signal };
    const holds = (event: DragEvent): boolean => Boolean(event.dataTransfer?.types.includes("Files"));
    part.addEventListener(
      "dragover",
      (event) => {
        if (!holds(event)) return;
        event.preventDefault();
        setOver(true);
      },
      options,
    );
    part.addEventListener("dragleave", () => setOver(false), options);
    part.addEventListener(
      "drop",
      (event) => {
        setOver(false);
        const file = [...(event.dataTransfer?.files ?? [])].find((one) => SUFFIXES.test(one.name));
        if (!file) return;
        event.preventDefault();
        event.stopPropagation();
        take(file);
      },
      options,
    );
    return () => control.abort();
  }, []);

  if (!may("POST /import")) return null;
  const open = source ? placeholders(source.asl) : [];
  return (
    <div ref={root} class={over ? "import over" : "import"}>
      <p>
        <button type="button" onClick={() => picker.current?.click()} title={words.importHint}>
          {words.importMachine}
        </button>{" "}
        <span class="faint">{over ? words.dropHere : words.importHint}</span>
        <input
          ref={picker}
          type="file"
          hidden
          accept=".json,.yaml,.yml,.asl"
          aria-label={words.importMachine}
          onChange={(event) => {
            take(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
      </p>
      {error ? <Problem error={error} /> : null}
      {source && found ? (
        <section class="panel" aria-label={words.imported}>
          <p role="status">
            <strong>{words.importedFrom(plain(source.file), found.problems.length)}</strong>{" "}
            <button type="button" class="quiet" onClick={() => setFound(null)}>
              {words.close}
            </button>
          </p>
          <ul class="problems" tabIndex={0} aria-label={words.problemList}>
            {found.problems.slice(0, SHOWN).map((one, n) => (
              <li key={n} class={one.level}>
                <span>
                  {one.level} <code>{plain(one.pointer)}</code> {plain(one.message)}
                </span>
              </li>
            ))}
          </ul>
          {open.length ? (
            <form
              class="form inline"
              onSubmit={(event) => {
                event.preventDefault();
                setError(null);
                convert(source, values).catch((problem: unknown) => setError(problem as Error));
              }}
            >
              {open.map((name) => (
                <label key={name}>
                  {plain(name)} <input value={values[name] ?? ""} onInput={(event) => setValues({ ...values, [name]: event.currentTarget.value })} />
                </label>
              ))}
              <button type="submit">{words.importAgain}</button>
            </form>
          ) : null}
        </section>
      ) : null}
    </div>
  );
}
