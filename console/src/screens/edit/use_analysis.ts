// The analysis of the text on the screen, a moment after it was changed.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Graph } from "../../api/types";
import { analyze, type Analysis } from "./analysis";

const WAIT_MS = 250;
const SLOW_CHARACTERS = 200_000;
const SLOW_MS = 1000;
/** The diagram of a larger text is drawn on demand. */
const DRAWN_STEPS = 300;

/** The ids of the boxes of a diagram, from left to right. */
function orderOf(graph: Graph): string[] {
  return [...(graph.layout?.boxes ?? [])].sort((a, b) => a.x - b.x).map((one) => one.id).filter(Boolean);
}

interface Found {
  analysis: Analysis | null;
  /** The last diagram of each flow that could be drawn. */
  graphs: Record<string, Graph>;
  error: Error | null;
  stepCount: number;
  isLarge: boolean;
  /** Analyze the next text at once: it was not typed. */
  quickly: () => void;
}

export function useAnalysis(text: string, { drawLarge, found }: { drawLarge: boolean; found: (analysis: Analysis) => unknown }): Found {
  const [analysis, setAnalysis] = useState<Analysis | null>(null);
  const [graphs, setGraphs] = useState<Record<string, Graph>>({});
  const [error, setError] = useState<Error | null>(null);
  const quick = useRef(false);
  const stepCount = text.split("=>").length - 1;
  const isLarge = stepCount > DRAWN_STEPS;
  useEffect(() => {
    const control = new AbortController();
    const read = async (): Promise<void> => {
      const order = Object.fromEntries(Object.entries(graphs).map(([flow, graph]) => [flow, orderOf(graph)]));
      const answer = await analyze(text, { layout: !isLarge || drawLarge, order, signal: control.signal });
      setError(null);
      setAnalysis(answer);
      setGraphs((old) => ({ ...old, ...Object.fromEntries(Object.entries(answer.graphs).map(([flow, graph]) => [flow, graph.layout || !old[flow]?.layout ? graph : old[flow]])) }));
      await found(answer);
    };
    const wait = quick.current ? 0 : text.length > SLOW_CHARACTERS ? SLOW_MS : WAIT_MS;
    quick.current = false;
    const timer = setTimeout(() => void read().catch((reason: unknown) => control.signal.aborted || setError(reason as Error)), wait);
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [text, drawLarge]);
  const quickly = (): void => {
    quick.current = true;
  };
  return { analysis, graphs, error, stepCount, isLarge, quickly };
}
