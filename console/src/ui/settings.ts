// What a person chose for this computer. Nothing of it is sent.
import { store } from "./store";

export interface Settings {
  theme: "system" | "light" | "dark";
  time: "local" | "utc";
  density: "normal" | "compact";
  shortcuts: boolean;
  refresh: number;
  /** For how many seconds an answer of a person can be taken back; 0: it is sent at once. */
  undo: number;
}

const KEY = "echoer.settings";
export const DEFAULTS: Settings = { theme: "system", time: "local", density: "normal", shortcuts: true, refresh: 5, undo: 5 };

function read(): Settings {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>) };
  } catch {
    return DEFAULTS;
  }
}

export const settings = store<Settings>(read());

export function setSettings(changed: Partial<Settings>): void {
  const next = { ...settings.value, ...changed };
  localStorage.setItem(KEY, JSON.stringify(next));
  settings.set(next);
}

function apply(next: Settings): void {
  document.documentElement.dataset["theme"] = next.theme;
  document.documentElement.dataset["density"] = next.density;
}

apply(settings.value);
settings.follow(apply);
