// Keys. Single letters can be switched off (WCAG 2.1.4), and never fire in a field.
import { useEffect, useRef } from "preact/hooks";
import { settings } from "./settings";

/** Whether keys belong to a field, so that shortcuts must not take them. */
export function inField(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return Boolean(element?.closest?.("input, textarea, select, [contenteditable], .editor, dialog, [role=menu]"));
}

/** Whether the event is a single key that a shortcut may take. */
export function isShortcut(event: KeyboardEvent): boolean {
  return settings.value.shortcuts && !inField(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented;
}

/** Act on single keys while the component is shown. */
export function useShortcuts(keys: Readonly<Record<string, () => void>>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const act = isShortcut(event) ? latest.current[event.key] : undefined;
      if (!act) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}
