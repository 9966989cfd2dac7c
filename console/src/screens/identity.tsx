// Which server and token are in use, and the change to another one.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { identities, isSame, session, setSession, shownServer, signOut, type Identity as Known } from "../api/session";
import type { Me } from "../api/types";
import { whoIs } from "../ui/me";
import { Menu } from "../ui/menu";
import { Dialog } from "../ui/parts";
import { go, usePlace } from "../ui/router";
import { useStore } from "../ui/store";
import { words } from "../words/en";
import { SignInForm } from "./sign_in";

/** Use another session. What was open belongs to the one before, so the list of its kind is shown. */
export function change(next: Parameters<typeof setSession>[0], path: readonly string[]): void {
  setSession(next);
  go(path.slice(0, 1));
}

export function Identity({ who }: { who: Me }): JSX.Element {
  const known = useStore(identities);
  const now = useStore(session);
  const { path } = usePlace();
  const [adding, setAdding] = useState(false);
  const servers = new Set([now.server, ...known.map((one) => one.server)]);
  const shown = whoIs(who);
  return (
    <>
      <Menu
        label={words.identityMenu(shown, shownServer())}
        summary={
          <>
            {servers.size > 1 || now.server ? <span class="server">{shownServer()}</span> : null}
            <span class={who.auth === "open" ? "open" : ""}>{shown}</span>
          </>
        }
      >
        {known.map((one) => (
          <Choice key={`${one.server} ${one.token}`} one={one} isNow={isSame(one, now)} use={() => change(one, path)} />
        ))}
        <button type="button" role="menuitem" onClick={() => setAdding(true)}>
          {words.useAnother}
        </button>
        {now.token ? (
          <button type="button" role="menuitem" onClick={signOut}>
            {words.signOut}
          </button>
        ) : null}
      </Menu>
      {adding ? (
        <Dialog title={words.useAnother} close={() => setAdding(false)}>
          <SignInForm
            first={null}
            done={() => {
              setAdding(false);
              go(path.slice(0, 1));
            }}
          />
        </Dialog>
      ) : null}
    </>
  );
}

function Choice({ one, isNow, use }: { one: Known; isNow: boolean; use: () => void }): JSX.Element {
  return (
    <button type="button" role="menuitemradio" aria-checked={isNow} onClick={isNow ? undefined : use}>
      <span class="tick" aria-hidden="true">
        {isNow ? "✓" : ""}
      </span>
      <span>
        {one.who} <span class="faint">{shownServer(one.server)}</span>
      </span>
    </button>
  );
}
