// Who I am, and what my role may call.
import { call, expired } from "../api/client";
import { remember, session } from "../api/session";
import type { Me } from "../api/types";
import { words } from "../words/en";
import { store } from "./store";

export const me = store<Me | null>(null);

/** Ask the server who I am. The answer to a session that is not in use any more changes nothing. */
export async function findOut(): Promise<void> {
  const asked = session.value;
  const found = await call<Me>("GET", "/me");
  if (asked !== session.value) return;
  me.set(found.data);
  remember(whoIs(found.data));
}

/** The caller in a few words. */
export function whoIs(found: Me): string {
  return found.auth === "open" ? words.theOpenServer : `${found.by} · ${found.role}`;
}

// Whatever is shown belongs to one server, token and namespace: with another one, nothing of it stays.
session.follow(() => {
  me.set(null);
  expired.set(null);
});

/** Whether my role may make that call, such as `POST /flowrun/{name}/retry`. */
export function may(name: string): boolean {
  return me.value?.calls.includes(name) ?? false;
}
