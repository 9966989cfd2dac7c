// What the server says about a text, and the edits that it makes. All places are those of the editor.
import { call, type Diagnostic } from "../../api/client";
import type { Graph, Json, Parameter } from "../../api/types";
import { placeOf, unitsOf } from "./units";

export type Span = [number, number];

export interface Offer {
  label: string;
  kind: string;
  detail: string;
}

export interface Symbol {
  kind: string;
  name: string;
  span: Span;
  definition: Span | null;
  places: Span[];
}

export interface StepRoute {
  states: string[];
  when: string | null;
  to: string;
}

/** A step as a form needs it. */
export interface EditableStep {
  flow: string;
  name: string;
  kind: string;
  into: string;
  span: Span;
  routes: StepRoute[];
  properties: { name: string; value: string | null; about: string }[];
  states: string[] | null;
  targets: string[];
}

export interface Analysis {
  /** The text that was analyzed. */
  text: string;
  diagnostics: Diagnostic[];
  statements: { kind: string; name: string; span: Span; change: "created" | "updated" | "unchanged" | null }[];
  steps: { flow: string; name: string; kind: string; span: Span; name_span: Span; line: number }[];
  graphs: Record<string, Graph>;
  inputs: Record<string, Parameter[]>;
  fixes: { diagnostic: number; title: string; span: Span; insert: string }[];
  formatted: string | null;
  offers: Offer[];
  hover: { markdown: string; span: Span } | null;
  symbol: Symbol | null;
  step: EditableStep | null;
}

export interface Edit {
  from: number;
  to: number;
  insert: string;
}

export type Operation = { op: string; [name: string]: Json };

export interface AnalyzeOptions {
  layout?: boolean;
  order?: Record<string, string[]>;
  at?: number;
  signal?: AbortSignal;
}

/** Analyze a text. `at` is an offset in it. */
export async function analyze(text: string, { layout, order, at, signal }: AnalyzeOptions = {}): Promise<Analysis> {
  const body: Record<string, Json> = { text };
  if (layout) body["layout"] = true;
  if (order) body["order"] = order;
  if (at !== undefined) {
    const { line, before } = placeOf(text, at);
    body["at"] = { line, column: unitsOf(before).toCharacters(before.length) + 1 };
  }
  const found = (await call<Analysis>("POST", "/analyze", { body, ...(signal ? { signal } : {}) })).data;
  return inUnits(text, found);
}

/** The edits that operations make in a flow of a text. */
export async function edited(text: string, flow: string, operations: Operation[]): Promise<Edit[]> {
  const units = unitsOf(text);
  const found = await call<{ edits: Edit[] }>("POST", "/edit", { body: { text, flow, do: operations } });
  return found.data.edits.map((one) => ({ from: units.toUnits(one.from), to: units.toUnits(one.to), insert: one.insert }));
}

/** The edits that give the name at an offset another name. */
export function renamed(text: string, at: number, to: string): Promise<Edit[]> {
  return edited(text, "", [{ op: "rename", at: unitsOf(text).toCharacters(at), to }]);
}

function inUnits(text: string, found: Analysis): Analysis {
  const units = unitsOf(text);
  const span = (one: Span): Span => [units.toUnits(one[0]), units.toUnits(one[1])];
  const lines = text.split("\n");
  const column = (line: number, given: number): number => unitsOf(lines[line - 1] ?? "").toUnits(given - 1) + 1;
  return {
    ...found,
    text,
    diagnostics: found.diagnostics.map((one) => ({ ...one, column: column(one.line, one.column), end_column: column(one.end_line, one.end_column) })),
    statements: found.statements.map((one) => ({ ...one, span: span(one.span) })),
    steps: found.steps.map((one) => ({ ...one, span: span(one.span), name_span: span(one.name_span) })),
    fixes: found.fixes.map((one) => ({ ...one, span: span(one.span) })),
    hover: found.hover && { ...found.hover, span: span(found.hover.span) },
    symbol: found.symbol && symbolIn(found.symbol, span),
    step: found.step && { ...found.step, span: span(found.step.span) },
  };
}

function symbolIn(found: Symbol, span: (one: Span) => Span): Symbol {
  return { ...found, span: span(found.span), definition: found.definition && span(found.definition), places: found.places.map(span) };
}

