// Who uses the page: the token, the namespace, and whether they are kept on this computer.
import { store } from "../ui/store";

export interface Session {
  token: string;
  namespace: string;
  kept: boolean;
}

const KEY = "echoer.session";

function read(): Session {
  for (const storage of [sessionStorage, localStorage]) {
    try {
      const found = JSON.parse(storage.getItem(KEY) ?? "null") as Partial<Session> | null;
      if (found) return { token: found.token ?? "", namespace: found.namespace ?? "", kept: storage === localStorage };
    } catch {
      storage.removeItem(KEY);
    }
  }
  return { token: "", namespace: "", kept: false };
}

export const session = store<Session>(read());

/** Change the session. It is in this tab only, unless `kept`. */
export function setSession(changed: Partial<Session>): void {
  const next = { ...session.value, ...changed };
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
  (next.kept ? localStorage : sessionStorage).setItem(
    KEY,
    JSON.stringify({ token: next.token, namespace: next.namespace }),
  );
  session.set(next);
}

/** Forget the token and everything else that is kept on this computer. */
export function forget(): void {
  sessionStorage.clear();
  localStorage.clear();
  session.set({ token: "", namespace: "", kept: false });
}
