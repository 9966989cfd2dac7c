// A button for a call of the API.
import type { JSX } from "preact";
import { may } from "../ui/me";
import { words } from "../words/en";

/** A button for a call; disabled with the reason if the role may not make it. */
export function Do(props: { call: string; onClick: () => void; primary?: boolean; danger?: boolean; children: JSX.Element | string | readonly (JSX.Element | string)[] }): JSX.Element {
  const allowed = may(props.call);
  return (
    <button type="button" class={props.primary ? "primary" : props.danger ? "danger" : ""} disabled={!allowed} title={allowed ? undefined : words.needsRole(props.call)} onClick={props.onClick}>
      {props.children}
    </button>
  );
}
