// The mutants of a kernel's file, in a fixed order, each with the text that it makes.
import { WgslText } from "../../kernels-gpu/races/module.ts";
import { editsOf } from "./operators.ts";

export interface Mutant {
  readonly operator: string;
  readonly line: number;
  /** The line with its change, as a reader sees it. */
  readonly what: string;
  readonly text: string;
}

/** Each text once, however many operators make it. */
export function mutantsOf(source: string): Mutant[] {
  const seen = new Set([source]);
  return editsOf(new WgslText(source), source).flatMap(({ operator, start, end, to }) => {
    const text = source.slice(0, start) + to + source.slice(end);
    if (seen.has(text)) return [];
    seen.add(text);
    const line = source.slice(0, start).split("\n").length;
    return [{ operator, line, what: `${source.slice(start, end)} → ${to || "nothing"}`, text }];
  });
}
