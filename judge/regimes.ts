// From what probes showed of an output to its class: each probe rules out what it can, and few rows and whole tiles are told apart.
import type { DTypeName } from "../reference/dtype.ts";
import { append } from "../reference/lists.ts";
import { storageOf } from "../reference/operation.ts";
import type { Sizes } from "./case.ts";
import { isNoClass, type NamedClass } from "./classify.ts";
import type { PrecisionClass } from "./emulation.ts";
import type { Probe } from "./probes.ts";
import type { Setup } from "./sample.ts";

/** The class of an output: the coarsest of those that it has at the sizes where it was measured. */
export interface Precision extends NamedClass {
  readonly output: string;
  /** One for each shape at which kernels may compute in another way: few rows, and whole tiles. */
  readonly regimes: readonly Regime[];
}

/** The class of an output at some sizes. */
export interface Regime extends NamedClass {
  readonly sizes: Sizes;
}

/** A whole kernel in one class: that of its coarsest output that could be decided. */
export interface Summary {
  readonly class: Precision["class"];
  readonly between: readonly PrecisionClass[];
  /** Measured ÷ the largest value that float32 to nearest was predicted to have. */
  readonly ratio: number;
}

/** What a probe showed of one output. */
export interface SeenOutput extends Seen {
  readonly output: string;
  readonly probe: Probe;
}

/** The evidence of one probe on an output. */
export interface Seen {
  readonly named: NamedClass;
  /** For each evaluation of each class: whether it errs there before the last rounding, and whether that can be seen. */
  readonly errs: ReadonlyMap<PrecisionClass, readonly boolean[]>;
  readonly shows: ReadonlyMap<PrecisionClass, readonly boolean[]>;
}

/** Each output's class, from all that probes showed of it. */
export function precisionOf(seen: readonly SeenOutput[], { operation, dtype }: Setup): Precision[] {
  const precision: Precision[] = [];
  for (const output of new Set(seen.map((one) => one.output))) {
    const regimes = regimesOf(
      seen.filter((one) => one.output === output),
      storageOf(operation, output, dtype),
    );
    const { class: name, between, measured, predictions } = coarsest(regimes)!;
    precision.push({ output, class: name, between, measured, predictions, regimes });
  }
  return precision;
}

/** All probes of few rows are one regime, those of whole tiles of each size another. */
function regimesOf(list: readonly SeenOutput[], storage: DTypeName): Regime[] {
  const few = list.filter(({ probe }) => probe.tiles === undefined);
  const tiles = list.filter(({ probe }) => probe.tiles !== undefined);
  const regimes: Regime[] = [];
  const keyOf = ({ probe }: SeenOutput): string => JSON.stringify(probe.sizes);
  const groups = [...new Set(tiles.map(keyOf))].map((key) => tiles.filter((one) => keyOf(one) === key));
  for (const group of [few, ...groups]) {
    if (group.length > 0) regimes.push({ sizes: group[0].probe.sizes, ...together(group, storage) });
  }
  return regimes;
}

/**
 * The classes that all probes of an output leave. A probe leaves a class that it names. If it names float32, it also leaves
 * the classes that it cannot see, or cannot see in every variant of the formula that errs on some probe.
 */
function together(list: readonly Seen[], storage: DTypeName): NamedClass {
  if (storage === "float32" && list.length === 1) return list[0].named;
  const sorted = list.map(({ named }) => named).toSorted((a, b) => ratioOf(b) - ratioOf(a));
  if (isNoClass(sorted[0].class)) return sorted[0];
  const namesOf = ({ class: name, between }: NamedClass): readonly NamedClass["class"][] =>
    between.length > 0 ? between : [name];
  const erring = (name: PrecisionClass, i: number): boolean => list.some(({ errs }) => errs.get(name)![i]);
  const isUnseen = ({ shows }: Seen, name: PrecisionClass): boolean =>
    name === "float32" || shows.get(name)!.some((shown, i) => !shown && erring(name, i));
  const possible = (seen: Seen, name: PrecisionClass): boolean =>
    namesOf(seen.named).includes(name) || (namesOf(seen.named).includes("float32") && isUnseen(seen, name));
  const known = [...list[0].errs.keys()].filter(
    (name) => name === "float32" || list[0].errs.get(name)!.some((_, i) => erring(name, i)),
  );
  const left = known.filter((name) => list.every((seen) => possible(seen, name)));
  // The kernel mixes classes or belongs to none of these: every class that a probe named is kept.
  if (left.length === 0) {
    const named = new Set(list.flatMap((seen) => namesOf(seen.named)));
    append(
      left,
      [...named].filter((name) => name !== "float32" && name !== "undecidable" && !isNoClass(name)),
    );
    if (left.length === 0) return sorted[0];
  }
  const telling = sorted.filter((named) => left.some((name) => namesOf(named).includes(name)));
  const shown = telling.find((named) => ratioOf(named) < Infinity) ?? sorted[0];
  return left.length === 1
    ? { ...shown, class: left[0], between: [] }
    : { ...shown, class: "undecidable", between: left };
}

/**
 * A whole kernel's class: that of its coarsest output. Undefined without outputs.
 */
export function summarise(precision: readonly Precision[]): Summary | undefined {
  const found = coarsest(precision);
  return found && { class: found.class, between: found.between, ratio: ratioOf(found) };
}

/**
 * The one farthest from float32 whose class was decided; failing that, the farthest undecidable one, unless it may be float32
 * and another is.
 */
function coarsest<T extends NamedClass>(all: readonly T[]): T | undefined {
  const sorted = all.toSorted((a, b) => ratioOf(b) - ratioOf(a));
  const exact = sorted.find((p) => p.class === "float32");
  return (
    sorted.find((p) => p.class !== "undecidable" && p.class !== "float32") ??
    sorted.find((p) => p.class === "undecidable" && !(exact !== undefined && p.between.includes("float32"))) ??
    exact ??
    sorted[0]
  );
}

/** How many times as large as float32's the errors are. */
export function ratioOf({ measured, predictions }: NamedClass): number {
  if (measured === 0) return 0;
  return measured / (predictions.find((p) => p.class === "float32")?.high ?? NaN);
}
