// What each token of a run waits for, and until when.
import type { JSX } from "preact";
import type { Graph, Json, Run } from "../../api/types";
import { waitInWords } from "../../ui/explain";
import { may } from "../../ui/me";
import { When } from "../../ui/parts";
import { href } from "../../ui/router";
import { plain } from "../../ui/text";
import { words } from "../../words/en";
import { LIVE } from "./status";

export function Waits({ run, graph }: { run: Run; graph: Graph | null }): JSX.Element | null {
  // A run that is too large to be shown whole has only the number of its tokens.
  const tokens = Array.isArray(run.spec.tokens) ? run.spec.tokens : [];
  const waiting = tokens.filter((one) => one.uuid && one.waits_for);
  if (!waiting.length || !LIVE.includes(run.spec.status)) return null;
  return (
    <section class="waits" aria-label={words.waitsFor}>
      <ul>
        {waiting.slice(0, 20).map((token) => {
          const wait = token.waits_for as Record<string, Json>;
          const until = (wait["until"] ?? token["deadline"]) as string | null;
          return (
            <li key={token.id}>
              <strong>{plain(token.step)}</strong> {plain(waitInWords(token, graph))}
              {until ? (
                <span class="faint">
                  {" "}
                  (<When at={until} />)
                </span>
              ) : null}
              {wait["child"] ? <a href={href(["runs", String(wait["child"])])}> {plain(String(wait["child"]))}</a> : null}
              {wait["person"] && may("POST /step") ? (
                <a class="button" href={href(["inbox"], { run: run.metadata.name })}>
                  {words.answerIt}
                </a>
              ) : null}
            </li>
          );
        })}
        {waiting.length > 20 ? <li class="faint">{words.more(waiting.length - 20)}</li> : null}
      </ul>
    </section>
  );
}
