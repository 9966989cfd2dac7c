// A play as a test for `fsl test`: to copy, or as a file.
import type { JSX } from "preact";
import { type Game, testOf } from "../../api/play";
import { useLoad } from "../../ui/load";
import { Copy, Dialog, Problem, Skeleton } from "../../ui/parts";
import { save } from "../../ui/save";
import { words } from "../../words/en";

export function AsTest({ game, name, close }: { game: Game; name: string; close: () => void }): JSX.Element {
  const found = useLoad(`test ${JSON.stringify(game)}`, () => testOf(game), 0);
  return (
    <Dialog title={words.asTest} close={close} wide>
      <p class="faint">{words.asTestHelp}</p>
      {found.data ? (
        <>
          <pre class="source" tabIndex={0}>
            {found.data}
          </pre>
          <p class="actions">
            <Copy text={found.data} />
            <button type="button" onClick={() => save(`${name}.test.yaml`, [found.data ?? ""])}>
              {words.saveFile}
            </button>
          </p>
        </>
      ) : found.error ? (
        <Problem error={found.error} />
      ) : (
        <Skeleton rows={4} />
      )}
    </Dialog>
  );
}
