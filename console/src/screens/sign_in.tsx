// Sign in with a token. It stays in this tab, unless the person wants it remembered.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { ApiError } from "../api/client";
import { setSession } from "../api/session";
import { Problem, useTitle } from "../ui/parts";
import { words } from "../words/en";

export function SignIn({ problem }: { problem: ApiError | null }): JSX.Element {
  const [token, setToken] = useState("");
  const [kept, setKept] = useState(false);
  useTitle(words.signIn);
  return (
    <main id="main" class="sign-in">
      <h1>{words.product}</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setSession({ token: token.trim(), kept });
        }}
      >
        <label>
          {words.token}
          <input type="password" autocomplete="off" spellcheck={false} required value={token} onInput={(event) => setToken(event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={kept} onChange={(event) => setKept(event.currentTarget.checked)} /> {words.remember}
        </label>
        <button type="submit" class="primary">
          {words.signIn}
        </button>
        <p class="faint">{words.signInHelp}</p>
      </form>
      {problem ? <Problem error={problem} /> : null}
    </main>
  );
}
