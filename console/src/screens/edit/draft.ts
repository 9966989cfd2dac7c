// Drafts: the text that is being written, and the versions from which it began, per server, namespace and document.
import { at, call } from "../../api/client";
import { base, session } from "../../api/session";
import type { Definition } from "../../api/types";
import { me } from "../../ui/me";
import { textOf } from "../run/flow_text";
import type { Analysis } from "./analysis";

/** A definition in the version from which the text began; version 0 if there was none. */
export interface Base {
  version: number;
  text: string;
}

/** Versions by kind and name, such as `flow:order`. */
export type Bases = Record<string, Base>;

export interface Draft {
  text: string;
  bases: Bases;
}

/** Definitions of these kinds are guarded: one that changed meanwhile is not overwritten. */
const GUARDED = ["flow", "action"];

export function draftKey(name: string): string {
  return `echoer.draft ${base()} ${session.value.namespace || me.value?.namespace || ""} ${name}`;
}

/** The draft of a document. One that an older page kept is a text only. */
export function readDraft(name: string): Draft | null {
  const kept = localStorage.getItem(draftKey(name));
  if (kept === null) return null;
  try {
    const found = JSON.parse(kept) as Partial<Draft>;
    if (typeof found.text === "string") return { text: found.text, bases: found.bases ?? {} };
  } catch {
    // It is a text.
  }
  return { text: kept, bases: {} };
}

export function keepDraft(name: string, draft: Draft): void {
  localStorage.setItem(draftKey(name), JSON.stringify(draft));
}

export function dropDraft(name: string): void {
  localStorage.removeItem(draftKey(name));
}

/** The newest version of a definition; version 0 if there is none. */
export async function newest(key: string): Promise<Base> {
  const [kind = "", name = ""] = parted(key);
  try {
    const found = (await call<Definition>("GET", at(kind, name))).data;
    return { version: found.metadata.version, text: textOf(found) };
  } catch (problem) {
    if ((problem as { status?: number }).status === 404) return { version: 0, text: "" };
    throw problem;
  }
}

/** Kind and name of a key. Names may have colons. */
export function parted(key: string): [string, string] {
  const colon = key.indexOf(":");
  return [key.slice(0, colon), key.slice(colon + 1)];
}

/** The guarded definitions of a text, by key. */
export function guarded(statements: Analysis["statements"]): { key: string; span: [number, number]; change: string }[] {
  return statements
    .filter((one) => GUARDED.includes(one.kind) && one.change)
    .map((one) => ({ key: `${one.kind}:${one.name}`, span: one.span, change: one.change ?? "" }));
}
