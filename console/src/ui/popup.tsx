// A button that opens a list of acts. Escape, a press elsewhere, or an act that is chosen closes it.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export function Popup({ label, children, stays = false }: { label: string; children: ComponentChildren; stays?: boolean }): JSX.Element {
  const box = useRef<HTMLDetailsElement>(null);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const close = (event: Event): void => {
      if (!box.current?.open) return;
      if (event instanceof KeyboardEvent) {
        if (event.key !== "Escape") return;
        box.current.open = false;
        box.current.querySelector("summary")?.focus();
      } else if (!box.current.contains(event.target as Node)) box.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  const chosen = (event: MouseEvent): void => {
    if (!stays && box.current && (event.target as HTMLElement).closest("button, a")) box.current.open = false;
  };
  return (
    <details class="menu" ref={box} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{label}</summary>
      {isOpen ? <div onClick={chosen}>{children}</div> : null}
    </details>
  );
}
