// No runs: because there are none, or because of a filter that can be dropped.
import type { JSX } from "preact";
import { Empty } from "../../ui/parts";
import { href } from "../../ui/router";
import { words } from "../../words/en";
import { givenFilters, without } from "./filters";

export function NoRuns({ query }: { query: URLSearchParams }): JSX.Element {
  const given = givenFilters(query);
  if (!given.length)
    return (
      <Empty title={words.noRuns}>
        <p>{words.noRunsHelp}</p>
        <pre>{`fsl apply fsl/examples/release.fsl\nfsl run my_flow --input '{"name": "Ann"}' --wait`}</pre>
        <p>
          <a class="button" href={href(["edit"])}>
            {words.writeFlow}
          </a>
        </p>
      </Empty>
    );
  return (
    <Empty title={words.noMatch}>
      <p>
        {given.map(([name, value]) => (
          <a key={`${name}${value}`} class="button" href={href(["runs"], without(query, name, value))}>
            {words.dropFilter(`${name}: ${value}`)}
          </a>
        ))}
        <a class="button" href={href(["runs"])}>
          {words.clearFilters}
        </a>
      </p>
    </Empty>
  );
}
