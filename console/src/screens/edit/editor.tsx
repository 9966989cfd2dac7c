// The editor: CodeMirror in a shadow root, where its styles are a constructed sheet, as the page's policy requires.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab, isolateHistory } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentOnInput, StreamLanguage, syntaxHighlighting, type StreamParser } from "@codemirror/language";
import { type Diagnostic as LintDiagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, Transaction } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Diagnostic } from "../../api/client";
import type { Edit, Offer } from "./analysis";

/** What marks a change that was not typed. */
const DIAGRAM = "diagram";

const KEYWORDS = new Set(
  "action action_end flow flow_end flow_run flow_run_end event event_end config schedule schedule_end hook hook_end step deci set wait fork each call emit start branch use when else done stopped secret on as".split(" "),
);
const TYPES = new Set("str int float bool list map any".split(" "));

// Colours only: the server's parser is the truth about the text.
const parser: StreamParser<{ depth: number }> = {
  startState: () => ({ depth: 0 }),
  token(stream, state) {
    if (state.depth > 0) {
      const char = stream.next();
      if (char === "{") state.depth += 1;
      if (char === "}") state.depth -= 1;
      if (char === '"') while (!stream.eol() && stream.next() !== '"');
      return "special";
    }
    if (stream.eatSpace()) return null;
    if (stream.match("${")) {
      state.depth = 1;
      return "special";
    }
    if (stream.match(/^(#|\/\/).*/)) return "comment";
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
    if (stream.match(/^\d+(\.\d+)?(ms|s|m|h|d)?\b/)) return "number";
    if (stream.match(/^(=>|->|\|)/)) return "operator";
    const word = stream.match(/^[A-Za-z_][A-Za-z0-9_]*/);
    if (word) {
      const text = (word as RegExpMatchArray)[0];
      if (KEYWORDS.has(text.toLowerCase())) return "keyword";
      if (TYPES.has(text.toLowerCase())) return "type";
      return /^\s*=[^>]/.test(stream.string.slice(stream.pos)) ? "property" : "variable";
    }
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: "#" } },
  tokenTable: { special: tags.special(tags.string), property: tags.propertyName, type: tags.typeName, operator: tags.operator, variable: tags.variableName },
};

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)", fontWeight: "600" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: tags.special(tags.string), color: "var(--code-expression)" },
  { tag: tags.propertyName, color: "var(--code-property)" },
  { tag: tags.typeName, color: "var(--code-number)" },
  { tag: tags.operator, color: "var(--accent)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--surface)", color: "var(--ink)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--faint)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--active)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { backgroundColor: "var(--selection) !important" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-hover": { padding: "6px 10px", maxWidth: "420px", whiteSpace: "pre-wrap" },
  ".cm-lintRange-error": { textDecoration: "underline wavy var(--bad)", backgroundImage: "none" },
  ".cm-lintRange-warning": { textDecoration: "underline wavy var(--warn)", backgroundImage: "none" },
});

export interface EditorHandle {
  text(): string;
  replace(text: string): void;
  /** Make edits as one step of the history. */
  change(edits: readonly Edit[]): void;
  /** Select a part of the text and show it; the editor takes the focus unless `takesFocus` is false. */
  show(from: number, to?: number, takesFocus?: boolean): void;
  caret(): number;
  report(found: readonly Diagnostic[]): void;
}

interface Props {
  text: string;
  label: string;
  readOnly?: boolean;
  handle: (handle: EditorHandle) => void;
  changed: (text: string) => void;
  moved: (offset: number) => void;
  keys: Record<string, () => void>;
  complete: (text: string, offset: number) => Promise<Offer[]>;
  hover: (text: string, offset: number) => Promise<{ markdown: string; span: [number, number] } | null>;
}

export default function Editor(props: Props): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const place = host.current;
    if (!place) return;
    const root = place.shadowRoot ?? place.attachShadow({ mode: "open" });
    const view = new EditorView({ root, parent: root as unknown as Element, state: stateOf(latest) });
    latest.current.handle(handleOf(view));
    return () => view.destroy();
  }, []);
  return <div class="editor" ref={host} />;
}

function stateOf(latest: { current: Props }): EditorState {
  const { text, label, readOnly } = latest.current;
  return EditorState.create({
    doc: text,
    extensions: [
      lineNumbers(),
      history(),
      drawSelection(),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      highlightActiveLine(),
      highlightSelectionMatches(),
      lintGutter(),
      StreamLanguage.define(parser),
      syntaxHighlighting(colours),
      theme,
      EditorState.tabSize.of(4),
      EditorState.readOnly.of(readOnly === true),
      EditorView.contentAttributes.of({ "aria-label": label, "aria-multiline": "true", tabindex: "0" }),
      autocompletion({ override: [(context) => offersAt(context, latest)] }),
      hoverTooltip(async (view, offset) => {
        const found = await latest.current.hover(view.state.doc.toString(), offset);
        if (!found) return null;
        return { pos: found.span[0], end: found.span[1], create: () => ({ dom: markdown(found.markdown) }) };
      }),
      keymap.of([
        ...Object.entries(latest.current.keys).map(([key]) => ({
          key,
          preventDefault: true,
          run: () => {
            latest.current.keys[key]?.();
            return true;
          },
        })),
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...defaultKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...lintKeymap,
        indentWithTab,
      ]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) latest.current.changed(update.state.doc.toString());
        const isOwn = update.transactions.some((one) => one.isUserEvent(DIAGRAM));
        if ((update.selectionSet || update.docChanged) && !isOwn) latest.current.moved(update.state.selection.main.head);
      }),
    ],
  });
}

async function offersAt(context: CompletionContext, latest: { current: Props }): Promise<CompletionResult | null> {
  const word = context.matchBefore(/[$\w]*/);
  if (!context.explicit && (!word || word.from === word.to) && !/[=(>|.$,]\s?$/.test(context.state.doc.sliceString(Math.max(0, context.pos - 2), context.pos))) return null;
  const found = await latest.current.complete(context.state.doc.toString(), context.pos);
  return {
    from: word?.from ?? context.pos,
    options: found.map((one) => ({ label: one.label, detail: one.detail, type: { step: "variable", action: "function", state: "enum", flow: "class" }[one.kind] ?? one.kind })),
    validFor: /^[$\w]*$/,
  };
}

function handleOf(view: EditorView): EditorHandle {
  return {
    text: () => view.state.doc.toString(),
    replace: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    change: (edits) => {
      const [first] = edits;
      if (!first) return;
      const annotations = [isolateHistory.of("full"), Transaction.userEvent.of(DIAGRAM)];
      view.dispatch({ changes: edits.map((one) => ({ ...one })), annotations, effects: EditorView.scrollIntoView(Math.min(first.from, view.state.doc.length)) });
    },
    show: (from, to = from, takesFocus = true) => {
      view.dispatch({ selection: { anchor: from, head: to }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
      if (takesFocus) view.focus();
    },
    caret: () => view.state.selection.main.head,
    report: (found) => {
      const { doc } = view.state;
      const place = (line: number, column: number): number => (line > doc.lines ? doc.length : Math.min(doc.length, doc.line(Math.max(1, line)).from + column - 1));
      const shown: LintDiagnostic[] = found.map((one) => ({
        from: place(one.line, one.column),
        to: Math.max(place(one.line, one.column), place(one.end_line, one.end_column)),
        severity: one.severity,
        message: `${one.message}${one.hint ? ` (${one.hint})` : ""}`,
        source: one.code,
      }));
      view.dispatch(setDiagnostics(view.state, shown));
    },
  };
}

/** The few forms of Markdown that hover texts have, as elements: bold, code, lists and paragraphs. */
function markdown(text: string): HTMLElement {
  const box = document.createElement("div");
  box.className = "cm-hover";
  for (const line of text.split("\n")) {
    const row = document.createElement("div");
    const parts = line.replace(/^- /, "• ").split(/(\*\*[^*]+\*\*|`[^`]+`)/);
    for (const part of parts) {
      const bold = /^\*\*(.+)\*\*$/.exec(part);
      const code = /^`(.+)`$/.exec(part);
      const element = document.createElement(bold ? "strong" : code ? "code" : "span");
      element.textContent = bold?.[1] ?? code?.[1] ?? part;
      row.append(element);
    }
    box.append(row);
  }
  return box;
}
