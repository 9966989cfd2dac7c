// One item of an each: where it is, why it failed, what it returned.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { call } from "../../api/client";
import { JsonView } from "../../ui/json";
import { useLoad } from "../../ui/load";
import { Problem, Skeleton, When } from "../../ui/parts";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import type { Item } from "./items";

interface Props {
  run: string;
  path: string;
  step: string;
  index: number;
  turn: number;
  follow: (token: string) => void;
  close: () => void;
}

export function ItemDetail({ run, path, step, index, turn, follow, close }: Props): JSX.Element {
  const found = useLoad(`item ${run} ${step} ${index}`, (signal) => call<{ items: Item[] }>("GET", path, { query: { step, limit: 1, cursor: index ? index - 1 : null }, signal }), 0);
  const first = useRef(turn);
  useEffect(() => {
    if (first.current !== turn) found.reload();
    first.current = turn;
  }, [turn]);
  const item = found.data?.data.items.find((one) => one.index === index);
  return (
    <section class="entry-detail item" aria-label={words.itemN(index)}>
      <header>
        <h3>
          {words.itemN(index)} {item ? `· ${item.status}` : ""}
        </h3>
        <button type="button" class="quiet" aria-label={words.close} onClick={close}>
          ✕
        </button>
      </header>
      {found.error ? <Problem error={found.error} retry={found.reload} /> : null}
      {item ? (
        <>
          {item.step ? (
            <p>
              {words.at} <strong>{plain(item.step)}</strong> <When at={item.since} />
            </p>
          ) : null}
          {item.error ? (
            <p class="error">
              <strong>{plain(item.error_name)}</strong> {plain(item.error)}
            </p>
          ) : null}
          {item.output === null || item.output === undefined ? null : <JsonView value={item.output} />}
          <p class="actions">
            <button type="button" onClick={() => follow(item.token)}>
              {words.itsHistory}
            </button>
            <span class="faint">{words.tokenIs(item.token)}</span>
          </p>
        </>
      ) : found.loading ? (
        <Skeleton rows={2} />
      ) : (
        <p class="faint">{words.itemUnknown}</p>
      )}
    </section>
  );
}
