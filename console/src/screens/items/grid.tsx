// The items of an each as cells on one canvas: 10,000 items are one element of the page.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { settings } from "../../ui/settings";
import { useStore } from "../../ui/store";
import { words } from "../../words/en";
import { STATUSES } from "./statuses";

interface Props {
  codes: Uint8Array;
  /** Only items with this status are bright; empty: all. */
  status: string;
  selected: number | null;
  select: (index: number) => void;
}

const SMALL = 9;
const LARGE = 18;
/** From how many items on their cells are small. */
const MANY = 600;

/** The colour of each status, as the sheet has it. The marks in the cells differ too, for those who do not see the colours. */
const COLOURS = { waiting: "--line", running: "--accent", done: "--good", failed: "--bad", unknown: "--active" } as const;

export function Grid({ codes, status, selected, select }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(480);
  const { theme } = useStore(settings);
  const [scheme, setScheme] = useState(0);
  const size = codes.length > MANY ? SMALL : LARGE;
  const columns = Math.max(1, Math.floor(width / size));
  const height = Math.ceil(codes.length / columns) * size;
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setWidth(box.current?.clientWidth ?? 480));
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const again = (): void => setScheme((old) => old + 1);
    dark.addEventListener("change", again);
    return () => dark.removeEventListener("change", again);
  }, []);
  useEffect(() => {
    if (canvas.current) draw(canvas.current, codes, { status, selected, size, columns, height });
  }, [codes, status, selected, size, columns, height, theme, scheme]);
  useEffect(() => {
    if (selected === null || !box.current) return;
    const top = Math.floor(selected / columns) * size;
    if (top < box.current.scrollTop || top + size > box.current.scrollTop + box.current.clientHeight) box.current.scrollTop = top - box.current.clientHeight / 2;
  }, [selected, columns]);
  const press = (event: MouseEvent): void => {
    const place = canvas.current?.getBoundingClientRect();
    if (!place) return;
    const index = Math.floor((event.clientY - place.top) / size) * columns + Math.floor((event.clientX - place.left) / size);
    if (index >= 0 && index < codes.length) select(index);
  };
  const keys = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -codes.length, End: codes.length }[event.key];
    if (!by) return;
    event.preventDefault();
    select(Math.min(codes.length - 1, Math.max(0, (selected ?? 0) + by)));
  };
  return (
    <div class="item-grid" ref={box} role="application" tabIndex={0} aria-label={words.gridOf(codes.length)} onKeyDown={keys}>
      <canvas ref={canvas} aria-hidden="true" onClick={press} />
    </div>
  );
}

interface Look {
  status: string;
  selected: number | null;
  size: number;
  columns: number;
  height: number;
}

function draw(canvas: HTMLCanvasElement, codes: Uint8Array, look: Look): void {
  const { size, columns } = look;
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  canvas.width = columns * size * ratio;
  canvas.height = look.height * ratio;
  canvas.style.width = `${columns * size}px`;
  canvas.style.height = `${look.height}px`;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const colour = (name: string): string => resolved(canvas, name);
  const colours = STATUSES.map((one) => colour(COLOURS[one]));
  const ground = colour("--surface");
  const wanted = look.status ? STATUSES.indexOf(look.status as (typeof STATUSES)[number]) : -1;
  pen.scale(ratio, ratio);
  pen.lineWidth = 1.5;
  codes.forEach((code, n) => {
    const x = (n % columns) * size + 0.5;
    const y = Math.floor(n / columns) * size + 0.5;
    pen.globalAlpha = wanted >= 0 && code !== wanted ? 0.18 : 1;
    mark(pen, STATUSES[code] ?? "unknown", x, y, size - 2, colours[code] ?? ground, ground);
  });
  pen.globalAlpha = 1;
  if (look.selected !== null) {
    pen.strokeStyle = colour("--ink");
    pen.lineWidth = 2;
    pen.strokeRect((look.selected % columns) * size, Math.floor(look.selected / columns) * size, size - 1, size - 1);
  }
}

/** A cell: full if done, crossed if failed, half full while it runs, an outline while it waits. */
function mark(pen: CanvasRenderingContext2D, status: (typeof STATUSES)[number], x: number, y: number, size: number, colour: string, ground: string): void {
  pen.fillStyle = colour;
  pen.strokeStyle = colour;
  if (status === "waiting") return pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
  if (status === "running") {
    pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
    return pen.fillRect(x, y + size / 2, size, size / 2);
  }
  pen.fillRect(x, y, size, size);
  if (status !== "failed") return;
  pen.strokeStyle = ground;
  pen.beginPath();
  pen.moveTo(x + 1.5, y + 1.5);
  pen.lineTo(x + size - 1.5, y + size - 1.5);
  pen.moveTo(x + size - 1.5, y + 1.5);
  pen.lineTo(x + 1.5, y + size - 1.5);
  pen.stroke();
}

/** A colour of the sheet in the theme that is in force. */
function resolved(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`;
  return getComputedStyle(element).color;
}
