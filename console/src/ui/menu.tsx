// A menu behind a button. Escape and a click elsewhere close it; the arrow keys go through it.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export function Menu(props: { label: string; summary: ComponentChildren; children: ComponentChildren }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const items = (): HTMLElement[] => [...(box.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])];
  useEffect(() => {
    if (!isOpen) return;
    items()[0]?.focus();
    const leave = (event: Event): void => {
      if (!box.current?.contains(event.target as Node) && !button.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", leave);
    return () => document.removeEventListener("pointerdown", leave);
  }, [isOpen]);
  const move = (event: KeyboardEvent): void => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      setOpen(false);
      if (event.key === "Escape") button.current?.focus();
    } else if (next !== undefined) {
      event.preventDefault();
      all.at(next % all.length)?.focus();
    }
  };
  return (
    <span class="drop">
      <button ref={button} type="button" aria-haspopup="menu" aria-expanded={isOpen} title={props.label} onClick={() => setOpen(!isOpen)}>
        {props.summary}
        <span class="visually-hidden">{props.label}</span>
        <span aria-hidden="true">▾</span>
      </button>
      {isOpen ? (
        <div ref={box} role="menu" aria-label={props.label} onKeyDown={move} onClick={() => setOpen(false)}>
          {props.children}
        </div>
      ) : null}
    </span>
  );
}
