// Who I am, and what my role may call.
import { call } from "../api/client";
import { session } from "../api/session";
import type { Me } from "../api/types";
import { store } from "./store";

export const me = store<Me | null>(null);

export async function findOut(signal?: AbortSignal): Promise<Me> {
  const found = await call<Me>("GET", "/me", signal ? { signal } : {});
  me.set(found.data);
  return found.data;
}

session.follow(() => me.set(null));

/** Whether my role may make that call, such as `POST /flowrun/{name}/retry`. */
export function may(name: string): boolean {
  return me.value?.calls.includes(name) ?? false;
}
