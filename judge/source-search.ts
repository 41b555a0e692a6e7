// Which inputs that are read low, or intermediates that are stored low, explain a candidate's errors.
import { smallest } from "../reference/lists.ts";
import { difference, rms, SPREAD } from "./classify.ts";
import type { Sample } from "./sample.ts";
import { nameOfSource, type Source, type SourceClass, sourceOf } from "./sources.ts";

/** A source more is taken for one only where it leaves clearly less of the errors. */
const WIDER = 0.9;

/** So many sources at a time get another one, where none explains an error. */
const BEAM = 3;
/** One that leaves at most this share of the errors explains them. */
const EXPLAINED = 0.3;

interface Tried {
  readonly source: Source;
  readonly left: number;
}

/** The lists of several samples as one. */
export function joined(lists: readonly (readonly number[][])[]): number[][] {
  return lists[0].map((_, i) => lists.flatMap((list) => list[i]));
}

/**
 * What single sources leave of an output, and, of each kind and format, as many sources together as explain more of the
 * errors than fewer do.
 */
export function withSources(
  errors: readonly number[],
  noise: number,
  samples: readonly Sample[],
  output: string,
): Map<SourceClass, number[][]> {
  const found = new Map<SourceClass, number[][]>();
  const leftBy = (source: Source): number => {
    const name = nameOfSource(source);
    const evaluations = found.get(name) ?? joined(samples.map((sample) => sample.emulated(output, name)));
    found.set(name, evaluations);
    // Of names of the same numbers the fewest are kept, and the last of as many.
    const alike = [...found.keys()].find(
      (other) => other !== name && sourceOf(other).format === source.format && isSame(evaluations, found.get(other)!),
    );
    if (alike !== undefined) {
      if (sourceOf(alike).names.length >= source.names.length) found.delete(alike);
      else found.delete(name);
    }
    return smallest(evaluations.map((evaluation) => rms(difference(errors, evaluation))));
  };
  const { sources } = samples[0].ruler;
  const inOrder = (list: readonly Source[]): Tried[] => {
    const distinct = new Map(list.map((source) => [nameOfSource(source), source]));
    return [...distinct.values()]
      .map((source) => ({ source, left: leftBy(source) }))
      .toSorted((a, b) => a.left - b.left);
  };
  const single = alikeOnes(sources.single()).map(inOrder);
  // Of two sources that err alike each alone explains little.
  const isOpen = !(smallest(single.map((list) => list[0]?.left ?? Infinity)) <= EXPLAINED * rms(errors));
  const beam = isOpen ? BEAM : 1;
  for (const list of single) {
    let front = list.slice(0, beam);
    let left = isOpen && front[0]?.source.kind === "inputs" ? Infinity : rms(errors);
    while (front.length > 0 && front[0].left < WIDER * left && front[0].left > SPREAD * noise) {
      ({ left } = front[0]);
      front = inOrder(front.flatMap(({ source }) => sources.wider(source))).slice(0, beam);
    }
  }
  return found;
}

/** Sources in lists of one kind and format. */
function alikeOnes(list: readonly Source[]): Source[][] {
  const groups = new Map<string, Source[]>();
  for (const source of list) {
    const key = [source.kind, source.format].join();
    groups.set(key, [...(groups.get(key) ?? []), source]);
  }
  return [...groups.values()];
}

function isSame(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): boolean {
  return a.length === b.length && a.every((list, i) => list.every((x, k) => x === b[i][k]));
}
