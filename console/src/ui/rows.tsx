// Rows of which only those in view are in the page, however many there are. One tab stop: keys move the current row.
import type { JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { settings } from "./settings";

interface Props {
  label: string;
  /** How many rows there are; the last one may be unknown yet. */
  count: number;
  isComplete?: boolean;
  /** The height of every row, in pixels. */
  height: number;
  /** The current row; -1: none. */
  at: number;
  move: (row: number) => void;
  open?: (row: number) => void;
  /** The cells of a row. */
  row: (row: number) => JSX.Element;
  /** The head: cells of the role `columnheader`. */
  head?: JSX.Element;
  className?: string;
  rowClass?: (row: number) => string;
  isSelected?: (row: number) => boolean;
  /** The tracks of the columns, for the head and every row. */
  rowStyle?: { gridTemplateColumns: string; minWidth: string };
  /** Rows that came in before the first one: what is in view stays where it is. */
  before?: number;
  /** Other keys than those that move. */
  keys?: (event: KeyboardEvent, row: number) => void;
  /** Which rows are in view. */
  seen?: (first: number, last: number) => void;
}

const OVERSCAN = 4;
/** Browsers draw no element that is much higher. Beyond it, scrolling goes faster than the rows are high. */
const MAX_PIXELS = 8_000_000;

export function Rows(props: Props): JSX.Element {
  const { count, height, at } = props;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [view, setView] = useState(400);
  const tall = Math.min(count * height, MAX_PIXELS);
  const scale = count * height > MAX_PIXELS ? (count * height - view) / (tall - view) : 1;
  const offset = top * scale;
  const first = Math.max(0, Math.floor(offset / height) - OVERSCAN);
  const last = Math.min(count, Math.ceil((offset + view) / height) + OVERSCAN);
  useLayoutEffect(() => {
    const measure = (): void => setView(Math.max(height, (box.current?.clientHeight ?? 0) - (head.current?.offsetHeight ?? 0)));
    measure();
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, [height]);
  useLayoutEffect(() => {
    if (at < 0 || !box.current) return;
    const place = at * height;
    const now = box.current.scrollTop * scale;
    if (place < now) box.current.scrollTop = place / scale;
    else if (place + height > now + view) box.current.scrollTop = (place + height - view) / scale;
  }, [at, view, height]);
  const earlier = useRef(props.before ?? 0);
  useLayoutEffect(() => {
    const more = (props.before ?? 0) - earlier.current;
    earlier.current = props.before ?? 0;
    if (more > 0 && box.current && box.current.scrollTop > 0) box.current.scrollTop += (more * height) / scale;
  }, [props.before]);
  useEffect(() => props.seen?.(first, last), [first, last, count]);
  const keys = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = moved(event.key, at, count, Math.max(1, Math.floor(view / height) - 1));
    if (next !== null) {
      event.preventDefault();
      if (count) props.move(next);
    } else if (event.key === "Enter" && at >= 0 && event.target === box.current) {
      event.preventDefault();
      props.open?.(at);
    } else props.keys?.(event, at);
  };
  return (
    <div
      class={`rows ${props.className ?? ""}`}
      ref={box}
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={props.isComplete === false ? -1 : count}
      aria-activedescendant={at >= first && at < last ? `${id}-${at}` : undefined}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={keys}
    >
      {props.head ? (
        <div class="rows-head" ref={head} role="row" style={props.rowStyle ?? {}}>
          {props.head}
        </div>
      ) : null}
      <div class="rows-body" role="presentation" style={{ height: `${tall}px`, minWidth: props.rowStyle?.minWidth ?? "" }}>
        {Array.from({ length: Math.max(0, last - first) }, (_, n) => first + n).map((n) => (
          <div
            key={n}
            id={`${id}-${n}`}
            role="row"
            class={`row${n === at ? " at" : ""} ${props.rowClass?.(n) ?? ""}`}
            aria-rowindex={n + 1}
            aria-selected={props.isSelected?.(n) ?? n === at}
            style={{ ...props.rowStyle, height: `${height}px`, transform: `translateY(${n * height - offset + top}px)` }}
            onClick={() => props.move(n)}
          >
            {props.row(n)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** The row to which a key moves; null: it moves to none. */
function moved(key: string, at: number, count: number, page: number): number | null {
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, ...(settings.value.shortcuts ? { j: 1, k: -1 } : {}) }[key];
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return by === undefined ? null : Math.min(count - 1, Math.max(0, at + by));
}
