// A value that components follow.
import { useEffect, useState } from "preact/hooks";

export interface Store<T> {
  readonly value: T;
  set(next: T): void;
  follow(listener: (value: T) => void): () => void;
}

export function store<T>(first: T): Store<T> {
  let value = first;
  const listeners = new Set<(value: T) => void>();
  return {
    get value() {
      return value;
    },
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener(next);
    },
    follow(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T>(followed: Store<T>): T {
  const [value, setValue] = useState(followed.value);
  useEffect(() => {
    setValue(followed.value);
    return followed.follow(setValue);
  }, [followed]);
  return value;
}
