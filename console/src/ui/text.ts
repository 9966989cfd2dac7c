// Times, numbers and texts for people.
import { settings } from "./settings";

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 86_400_000],
  ["month", 30 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const numbers = new Intl.NumberFormat();

/** "3 min. ago", "in 2 days". */
export function ago(iso: string, now = Date.now()): string {
  const left = Date.parse(iso) - now;
  for (const [unit, length] of UNITS)
    if (Math.abs(left) >= length || unit === "second") return relative.format(Math.round(left / length), unit);
  return iso;
}

/** A moment in the time zone that the settings name. */
export function moment(iso: string): string {
  const utc = settings.value.time === "utc";
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "medium" };
  if (utc) options.timeZone = "UTC";
  return `${new Intl.DateTimeFormat(undefined, options).format(new Date(iso))}${utc ? " UTC" : ""}`;
}

/** "12 s", "3 min 4 s", "2 d 3 h". */
export function span(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = Math.round(milliseconds / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

export function count(n: number): string {
  return numbers.format(n);
}

export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  return n < 1_000_000 ? `${numbers.format(Math.round(n / 100) / 10)} kB` : `${numbers.format(Math.round(n / 100_000) / 10)} MB`;
}

/** A small amount of money: "$0.0000034". */
export function dollars(usd: number): string {
  return usd === 0 ? "$0" : `$${Number(usd.toPrecision(2)).toFixed(Math.max(2, 1 - Math.floor(Math.log10(usd))))}`;
}

/** A name in words: `ChargeCard` is "Charge card". */
export function titled(name: string): string {
  const words = name
    .replace(/[_.-]+/g, " ")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .trim();
  const text = words === words.toUpperCase() ? words.toLowerCase() : words;
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/ ([A-Z])(?=[a-z])/g, (_, letter: string) => ` ${letter.toLowerCase()}`);
}

/** The text with characters that could mislead a reader shown as escapes. */
export function plain(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
