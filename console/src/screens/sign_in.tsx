// Sign in with a token, at this server or another one. It stays in this tab, unless the person wants it remembered.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, call } from "../api/client";
import { addressOf, identities, isSame, SERVERS, session, setSession, shownServer } from "../api/session";
import type { Me } from "../api/types";
import { Problem, useTitle } from "../ui/parts";
import { useStore } from "../ui/store";
import { words } from "../words/en";

const OTHER = "other";

/** Where a person signs in: known servers, those that the page names, and any other. */
function knownServers(): string[] {
  return [...new Set([...SERVERS, session.value.server, ...identities.value.map((one) => one.server)])];
}

export function SignIn({ problem, done }: { problem?: Error | null; done?: () => void }): JSX.Element {
  useTitle(words.signIn);
  const known = useStore(identities).filter((one) => !isSame(one, session.value));
  return (
    <main id="main" class="sign-in">
      <h1>{words.product}</h1>
      {problem instanceof ApiError && problem.status === 401 && session.value.token ? <p class="notice">{words.expired}</p> : null}
      <SignInForm first={problem ?? null} {...(done ? { done } : {})} />
      {known.length ? (
        <>
          <h2>{words.continueAs}</h2>
          <ul class="cards">
            {known.map((one) => (
              <li key={`${one.server} ${one.token}`}>
                <button type="button" class="card" onClick={() => setSession(one)}>
                  <strong>{one.who}</strong> <span class="faint">{shownServer(one.server)}</span>
                </button>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </main>
  );
}

export function SignInForm({ first, done }: { first: Error | null; done?: () => void }): JSX.Element {
  const servers = knownServers();
  const [server, setServer] = useState(session.value.server);
  const [address, setAddress] = useState("");
  const [token, setToken] = useState("");
  const [kept, setKept] = useState(session.value.kept);
  const [error, setError] = useState(first);
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    let target = server;
    if (server === OTHER) {
      try {
        target = addressOf(address);
      } catch {
        setError(new Error(words.badServer));
        return;
      }
    }
    const next = { server: target, token: token.trim(), namespace: "", kept };
    setBusy(true);
    try {
      await call<Me>("GET", "/me", { as: next });
      setSession(next);
      done?.();
    } catch (problem) {
      setError(problem as Error);
      setBusy(false);
    }
  };
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <label>
          {words.server}
          <select value={server} onChange={(event) => setServer(event.currentTarget.value)}>
            {servers.map((one) => (
              <option key={one} value={one}>
                {one ? shownServer(one) : `${shownServer("")} (${words.thisServer})`}
              </option>
            ))}
            <option value={OTHER}>{words.otherServer}</option>
          </select>
        </label>
        {server === OTHER ? (
          <label>
            {words.serverAddress}
            <input type="url" required autocomplete="off" spellcheck={false} value={address} placeholder="https://" aria-describedby="server-help" onInput={(event) => setAddress(event.currentTarget.value)} />
            <span id="server-help" class="faint">
              {words.serverHelp}
            </span>
          </label>
        ) : null}
        <label>
          {words.token}
          <input type="password" autocomplete="off" spellcheck={false} required={server === session.value.server} value={token} onInput={(event) => setToken(event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={kept} onChange={(event) => setKept(event.currentTarget.checked)} /> {words.remember}
        </label>
        <p class="actions">
          <button type="submit" class="primary" disabled={busy}>
            {words.signIn}
          </button>
        </p>
        <p class="faint">{words.signInHelp}</p>
      </form>
      {error ? <Problem error={error} /> : null}
    </>
  );
}
