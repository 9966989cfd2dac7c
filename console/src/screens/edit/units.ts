// Places in a text: the server counts characters (code points), the editor and JavaScript count UTF-16 units.
export interface Units {
  /** The unit at which a character begins. */
  toUnits: (characters: number) => number;
  /** The number of characters before a unit. */
  toCharacters: (units: number) => number;
}

const SAME: Units = { toUnits: (n) => n, toCharacters: (n) => n };

export function unitsOf(text: string): Units {
  const pairs = Array.from(text.matchAll(/[\ud800-\udbff][\udc00-\udfff]/g), (found) => found.index);
  if (!pairs.length) return SAME;
  /** How many of the pairs hold, which are sorted so that those that do come first. */
  const count = (holds: (n: number) => boolean): number => {
    let [low, high] = [0, pairs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(middle)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    toUnits: (characters) => characters + count((n) => (pairs[n] as number) - n < characters),
    toCharacters: (units) => units - count((n) => (pairs[n] as number) < units),
  };
}

/** The offset of a line and column, both of which count from 1; the column counts units. */
export function offsetOf(text: string, line: number, column: number): number {
  let offset = 0;
  for (let n = 1; n < line; n += 1) {
    const next = text.indexOf("\n", offset);
    if (next < 0) return text.length;
    offset = next + 1;
  }
  return Math.min(text.length, offset + column - 1);
}

/** The line of an offset and its text before it. */
export function placeOf(text: string, offset: number): { line: number; before: string } {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < start; at = text.indexOf("\n", at + 1)) line += 1;
  return { line, before: text.slice(start, offset) };
}
