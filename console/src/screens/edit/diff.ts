// Lines of texts compared: two of them, or two with the text from which both began.
const MAX_CELLS = 4_000_000;

/** The lines of two texts: common ones (" "), removed ones ("-") and added ones ("+"). */
export function compared(old: readonly string[], now: readonly string[]): [string, string][] {
  if (old.length * now.length > MAX_CELLS) return [...old.map((one): [string, string] => ["-", one]), ...now.map((one): [string, string] => ["+", one])];
  const lengths = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let a = old.length - 1; a >= 0; a -= 1)
    for (let b = now.length - 1; b >= 0; b -= 1) {
      const row = lengths[a] as Uint16Array;
      row[b] = old[a] === now[b] ? (lengths[a + 1]?.[b + 1] ?? 0) + 1 : Math.max(lengths[a + 1]?.[b] ?? 0, row[b + 1] ?? 0);
    }
  const all: [string, string][] = [];
  let [a, b] = [0, 0];
  while (a < old.length || b < now.length) {
    if (a < old.length && b < now.length && old[a] === now[b]) {
      all.push([" ", old[a] as string]);
      a += 1;
      b += 1;
    } else if (b >= now.length || (a < old.length && (lengths[a + 1]?.[b] ?? 0) >= (lengths[a]?.[b + 1] ?? 0))) {
      all.push(["-", old[a] as string]);
      a += 1;
    } else {
      all.push(["+", now[b] as string]);
      b += 1;
    }
  }
  return all;
}

/** The changes between two texts, with two common lines around each. */
export function differences(old: readonly string[], now: readonly string[]): [string, string][] {
  const all = compared(old, now);
  return all.filter((_, n) => all.slice(Math.max(0, n - 2), n + 3).some(([sign]) => sign !== " "));
}

/** A part in which one text or both differ from the one in which they began. `line` is where it begins there. */
export interface Hunk {
  line: number;
  mine: string[];
  base: string[];
  theirs: string[];
  /** Both changed it, and not in the same way. */
  clash: boolean;
}

interface Change {
  start: number;
  end: number;
  lines: string[];
}

/** The changes from one text to another: which of its lines are replaced by which. */
function changes(old: readonly string[], now: readonly string[]): Change[] {
  const found: Change[] = [];
  let at = 0;
  let open: Change | null = null;
  for (const [sign, line] of compared(old, now)) {
    if (sign === " ") {
      open = null;
      at += 1;
      continue;
    }
    if (!open) {
      open = { start: at, end: at, lines: [] };
      found.push(open);
    }
    if (sign === "+") open.lines.push(line);
    else {
      at += 1;
      open.end = at;
    }
  }
  return found;
}

/** What two texts made of a part of the text in which they began. */
function within(base: readonly string[], found: readonly Change[], start: number, end: number): string[] {
  const lines: string[] = [];
  let at = start;
  for (const one of found) {
    if (one.start < start || one.end > end) continue;
    lines.push(...base.slice(at, one.start), ...one.lines);
    at = one.end;
  }
  return [...lines, ...base.slice(at, end)];
}

/** Where two texts differ from the one in which they began; changes that touch each other are one part. */
export function threeWay(mine: string, base: string, theirs: string): Hunk[] {
  const lines = base.split("\n");
  const [own, other] = [changes(lines, mine.split("\n")), changes(lines, theirs.split("\n"))];
  const parts: { start: number; end: number }[] = [];
  for (const one of [...own, ...other].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const last = parts[parts.length - 1];
    if (last && one.start <= last.end) last.end = Math.max(last.end, one.end);
    else parts.push({ start: one.start, end: one.end });
  }
  return parts.map(({ start, end }) => {
    const part = { line: start + 1, mine: within(lines, own, start, end), base: lines.slice(start, end), theirs: within(lines, other, start, end) };
    const texts = [part.mine, part.base, part.theirs].map((one) => one.join("\n"));
    return { ...part, clash: texts[0] !== texts[1] && texts[2] !== texts[1] && texts[0] !== texts[2] };
  });
}

/** Both changes together; null if they clash. */
export function merged(mine: string, base: string, theirs: string): string | null {
  const hunks = threeWay(mine, base, theirs);
  if (hunks.some((one) => one.clash)) return null;
  const lines = base.split("\n");
  const found: string[] = [];
  let at = 0;
  for (const one of hunks) {
    const isMine = one.mine.join("\n") !== one.base.join("\n");
    found.push(...lines.slice(at, one.line - 1), ...(isMine ? one.mine : one.theirs));
    at = one.line - 1 + one.base.length;
  }
  return [...found, ...lines.slice(at)].join("\n");
}
