// Where the page is: `#/runs/o-1?tab=history`. The address is the state, so every place can be linked.
import { store, useStore } from "./store";

export interface Place {
  path: string[];
  query: URLSearchParams;
}

function read(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  return { path: parts.map(decoded), query: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const place = store<Place>(read());
window.addEventListener("hashchange", () => place.set(read()));

export function usePlace(): Place {
  return useStore(place);
}

/** Where the page is now: for what happens later than the last drawing. */
export function here(): Place {
  return place.value;
}

/** The address of a place in the page. */
export function href(path: readonly string[], query: Record<string, string | null | undefined> | URLSearchParams = {}): string {
  const given = query instanceof URLSearchParams ? [...query.entries()] : Object.entries(query);
  const found = new URLSearchParams();
  for (const [name, value] of given) if (value) found.append(name, value);
  const text = found.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export function go(path: readonly string[], query: Record<string, string | null | undefined> | URLSearchParams = {}, replace = false): void {
  const target = href(path, query);
  if (replace) {
    history.replaceState(null, "", target);
    place.set(read());
  } else {
    location.hash = target;
  }
}
