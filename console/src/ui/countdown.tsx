// The time that is left until a moment, counted down.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { words } from "../words/en";
import { moment, span } from "./text";

const HOUR_MS = 3_600_000;

/** `passed` is called once, when the moment has come. */
export function Countdown({ at, passed }: { at: string; passed?: () => void }): JSX.Element {
  const [now, setNow] = useState(Date.now());
  const left = Date.parse(at) - now;
  const latest = useRef(passed);
  latest.current = passed;
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), left < HOUR_MS ? 1000 : 30_000);
    return () => clearInterval(timer);
  }, [left < HOUR_MS]);
  useEffect(() => {
    if (left <= 0) latest.current?.();
  }, [left <= 0, at]);
  return (
    <time class={left < HOUR_MS / 12 ? "soon" : ""} dateTime={at} title={moment(at)}>
      {left > 0 ? span(left) : words.now_}
    </time>
  );
}
