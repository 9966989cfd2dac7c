// What is shown only once it comes into view: its calls are made for rows that are looked at.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export function Seen({ children }: { children: ComponentChildren }): JSX.Element {
  const [isSeen, setSeen] = useState(false);
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!place.current) return;
    const observer = new IntersectionObserver((entries) => entries.some((one) => one.isIntersecting) && setSeen(true));
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  return <span ref={place}>{isSeen ? children : <span class="faint">…</span>}</span>;
}
