// The screens of the page: where they are, how they are called, their key after `g`, and a call that they need.
import { words } from "../words/en";

export interface PlaceOf {
  path: string;
  name: string;
  key: string;
  call: string;
}

/** In the navigation. */
export const PLACES: readonly PlaceOf[] = [
  { path: "", name: words.now, key: "h", call: "GET /flowrun" },
  { path: "runs", name: words.runs, key: "r", call: "GET /flowrun" },
  { path: "inbox", name: words.inbox, key: "i", call: "GET /task" },
  { path: "flows", name: words.flows, key: "f", call: "GET /flow" },
  { path: "edit", name: words.edit, key: "e", call: "POST /analyze" },
  { path: "health", name: words.health, key: "d", call: "GET /doctor" },
  { path: "admin", name: words.more_, key: "a", call: "GET /event" },
];

/** Beside it. */
export const MORE_PLACES: readonly PlaceOf[] = [
  { path: "terminal", name: words.terminal, key: "t", call: "POST /command" },
  { path: "settings", name: words.settings, key: "s", call: "GET /me" },
];
