// From errors to a class: a candidate's errors over all elements of an output, against those of each class's emulations.
import { isSplit, type PrecisionClass } from "./emulation.ts";
import type { Grid } from "./grid.ts";
import { isSource } from "./sources.ts";
import { largest, smallest } from "../reference/lists.ts";

export interface Prediction {
  readonly class: PrecisionClass;
  /** The least and the largest value among the class's evaluations. */
  readonly low: number;
  readonly high: number;
  /** The share of the candidate's error that its nearest evaluation does not explain. */
  readonly unexplained: number;
}

/** Errors that no precision explains: few of the elements have nearly all of them; or they are of a size that no class has. */
export const noClasses = [
  "coarser than every class",
  "coarser than float32, in no class",
  "in no class: few elements are wrong",
  "in no class: whole terms are wrong",
] as const;
export type NoClass = (typeof noClasses)[number];

export function isNoClass(name: NamedClass["class"]): name is NoClass {
  return (noClasses as readonly string[]).includes(name);
}

export interface NamedClass {
  /** The class; undecidable between several; or none. */
  readonly class: PrecisionClass | "undecidable" | NoClass;
  readonly between: readonly PrecisionClass[];
  /** Root mean square of error ÷ allowance. */
  readonly measured: number;
  /** The classes that can be told from float32 in this output. */
  readonly predictions: readonly Prediction[];
}

export interface Spectrum {
  /** Error ÷ allowance of each element. */
  readonly errors: readonly number[];
  /** The same for each evaluation of each class. */
  readonly emulated: ReadonlyMap<PrecisionClass, readonly (readonly number[])[]>;
  /** The grid on which all of the candidate's numbers lie. */
  readonly grid: Grid;
  /** Whether a class errs in the same way in any order. */
  readonly isExactly: (name: PrecisionClass) => boolean;
  /** The size that float32's errors may reach by luck when results are rounded to fewer bits, up or down. */
  readonly luck: number;
}

/** The spread of a root mean square over a dozen elements: two values within its square cannot be told apart. */
export const SPREAD = 2;
const APART = SPREAD * SPREAD;
/** An evaluation that leaves nearly all of an error does not explain it. */
const UNEXPLAINED = 0.9;
/** Errors of numbers in pieces are small, and those of sums that are cut off resemble them. */
const MOSTLY = 0.5;
/** One that leaves so little explains even an error that the target's functions may have. */
export const CLEARLY = 0.1;
/** An evaluation leaves at most a share s of n errors by chance in about sⁿ of all cases: so few of them are let pass. */
const CHANCE = 1e-4;
/** Two evaluations of a class that err alike, whatever their order: a sixteenth of the variance is left. */
const ALIKE = 0.25;

/** An evaluation explains an error of n elements if it leaves at most this share: the more elements, the less chance explains. */
export function explained(n: number): number {
  return n < 64 ? 0.5 : 0.8;
}

/** Sums that are cut off err alike in any order: their errors have nearly this correlation, and those of another class none. */
const LIKENESS = 0.4;
/** Below this, and below what chance gives in all but one of a thousand cases, errors are unlike. */
const UNLIKE = 0.2;
const CHANCES = 3;

/** One in so many elements may be wrong without any class: they hold all of the square sum but a hundredth. */
export const FEW = 16;
const NEARLY_ALL = 0.99;

/** The class whose errors a candidate's look like. */
export function nameClass({ errors, emulated, grid, luck, isExactly }: Spectrum): NamedClass {
  const measured = rms(errors);
  const exact = emulated.get("float32")!;
  const noise = Math.max(luck, largest(exact.map(rms)));
  const isBelowNoise = belowNoise(errors, exact, luck);
  const predictions: Prediction[] = [];
  const reproducible = new Set<PrecisionClass>();
  const partial = new Set<PrecisionClass>();
  for (const [name, evaluations] of emulated) {
    // An evaluation that errs no more than float32 says nothing about the class.
    const isCounted = name === "float32" || grid.classes.has(name);
    const floor = isSource(name) || isSplit(name) ? 0 : SPREAD * noise;
    const touched = evaluations.filter(
      (evaluation) => isCounted || rms(evaluation) > floor || (name.endsWith(" inputs") && isBelowNoise(evaluation)),
    );
    if (touched.length === 0) continue;
    const sizes = touched.map(rms);
    // In some order truncation errs no more than rounding does, and there are all orders between.
    const isPartial = touched.length < evaluations.length;
    if (isPartial && name.endsWith("accumulation")) partial.add(name);
    const [low, high] = [
      isPartial && name === "float32, truncating" ? SPREAD * noise : smallest(sizes),
      name === "float32" ? noise : largest(sizes),
    ];
    const left = smallest(touched.map((evaluation) => rms(difference(errors, evaluation))));
    predictions.push({ class: name, low, high, unexplained: measured > 0 ? left / measured : 1 });
    const [first, second] = touched;
    const isAlike = touched.length > 1 && rms(difference(first, second)) <= ALIKE * sizes[0];
    if (name !== "float32" && (isExactly(name) || isAlike)) reproducible.add(name);
  }
  // Where results are rounded to 16 bits, few elements show that sums err at all, each by one unit.
  const isFew = isSparse(errors) && (luck === 0 || errors.some((x) => Math.abs(x) > 1));
  const none = (name: NoClass): NamedClass => ({ class: name, between: [], measured, predictions });
  const told = (names: readonly PrecisionClass[]): NamedClass => {
    if (measured > SPREAD * noise && isFew && !names.some((name) => emulated.get(name)!.some(isSparse))) {
      return none("in no class: few elements are wrong");
    }
    return names.length === 1
      ? { class: names[0], between: [], measured, predictions }
      : { class: "undecidable", between: names, measured, predictions };
  };
  const ofGrid = predictions.filter((p) => grid.classes.has(p.class));
  if (!Number.isFinite(measured)) return told(predictions.map((p) => p.class));

  // 1. Classes whose very errors these are. (A sum in another order has other errors, so this rules no class out.)
  const allExplaining = predictions.filter(
    (p) => !p.class.startsWith("float32") && p.unexplained <= (isSplit(p.class) ? MOSTLY : explained(errors.length)),
  );
  const gridExplaining = allExplaining.filter((p) => ofGrid.includes(p));
  const explaining = gridExplaining.length > 0 ? gridExplaining : allExplaining;
  const best = smallest(explaining.map((p) => p.unexplained));
  const within = Math.max(APART * best * measured, measured > SPREAD * noise ? SPREAD * noise : 0);
  const near = explaining.filter((p) => p.unexplained * measured <= within);
  // Of all inputs and some of them all are named, unless the some explain more.
  const wholeOf = (p: Prediction) => near.find((one) => p.class.startsWith(`${one.class} (`));
  const alike = near.filter((p) => !(p.unexplained >= UNEXPLAINED * (wholeOf(p)?.unexplained ?? Infinity)));
  // A function that errs as far as it may can err as one source does.
  const isClear = best <= CLEARLY && best < predictions.find((p) => p.class === "float32")!.unexplained;
  if (alike.length > 0 && (measured > SPREAD * noise || (isClear && errors.length >= FEW))) {
    return told(alike.map((p) => p.class));
  }
  const doubtful = alike.filter(({ class: name }) => emulated.get(name)!.some(isBelowNoise)).map((p) => p.class);
  if (doubtful.length > 0) return told(["float32", ...doubtful]);

  // 2. Errors as small as float32's: float32, or a class whose errors may be as small.
  const isTold = (name: PrecisionClass): boolean =>
    name === "float32, truncating" && measured > SPREAD * noise && isUnlike(errors, emulated.get(name)!);
  const open = predictions.filter(
    (p) => !(reproducible.has(p.class) && p.unexplained >= UNEXPLAINED) && !isTold(p.class),
  );
  if (measured <= SPREAD * noise) {
    const small = ofGrid.filter((p) => p.low <= SPREAD * noise);
    if (small.length > 0) return told(small.map((p) => p.class));
    // (Two numbers of TF32 are as exact as float32.)
    const rivals = open.filter(
      (p) =>
        !p.class.startsWith("float32") &&
        !isSource(p.class) &&
        p.class !== "tf32x3 inputs" &&
        !(p.low > SPREAD * measured),
    );
    return told(["float32", ...rivals.map((p) => p.class)]);
  }

  // 3. All results lie on the grid of a format: some class of that format. 4. Otherwise any class. The nearest in logarithm
  // wins. (Outputs stored in 16 bits always lie on their own grid, and small sums of rounded numbers on a coarser one.)
  const below = (p: Prediction): number =>
    partial.has(p.class) ? Math.min(SPREAD, p.low / measured) : p.low / measured;
  // A low sum errs less in some orders than in those emulated: it is neither ruled out nor preferred to a nearer class.
  const far = (p: Prediction): number => Math.log(Math.max(1, measured / p.high, below(p)));
  const fitting = ofGrid.filter((p) => open.includes(p) && far(p) <= Math.log(SPREAD));
  // Errors this large are not float32's, however far the other classes are.
  const large = measured > APART * noise ? open.filter((p) => p.class !== "float32") : open;
  const sorted = (fitting.length > 0 ? fitting : ofGrid.length > 0 ? ofGrid : large).toSorted(
    (a, b) => far(a) - far(b),
  );
  const [nearest] = sorted;
  if (isFew) return told([]);
  if (measured > APART * SPREAD * largest(predictions.map((p) => p.high))) return none("coarser than every class");
  if (nearest === undefined || far(nearest) > Math.log(APART)) return none("coarser than float32, in no class");
  // float32 to nearest and float32 truncating lie close together: the benefit of the doubt is wider.
  const margin = (p: Prediction): number => Math.log(p.class === "float32" ? APART : SPREAD);
  return told(sorted.filter((p) => p === nearest || far(p) <= far(nearest) + margin(p)).map((p) => p.class));
}

/**
 * Whether an evaluation explains errors that the target's functions may have, and that float32 has neither where its functions
 * err little nor in any evaluation. It may leave the less the fewer the elements are.
 */
function belowNoise(
  errors: readonly number[],
  exact: readonly (readonly number[])[],
  luck: number,
): (evaluation: readonly number[]) => boolean {
  const measured = rms(errors);
  if (!(measured > APART * Math.max(luck, smallest(exact.map(rms))))) return () => false;
  const left = (evaluation: readonly number[]): number => rms(difference(errors, evaluation));
  const most = Math.min(MOSTLY, CHANCE ** (1 / errors.length)) * Math.min(measured, smallest(exact.map(left)));
  return (evaluation) => left(evaluation) <= most;
}

/** Whether errors have nothing in common with those of evaluations that err alike in any order. */
function isUnlike(errors: readonly number[], evaluations: readonly (readonly number[])[]): boolean {
  const [first, second] = evaluations;
  if (second === undefined || !(correlation(first, second) > LIKENESS)) return false;
  const least = Math.min(UNLIKE, CHANCES / Math.sqrt(errors.length));
  return evaluations.every((evaluation) => correlation(errors, evaluation) < least);
}

function correlation(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i], 0) / (a.length * rms(a) * rms(b));
}

/** Whether few of the elements have nearly all of the errors. */
function isSparse(errors: readonly number[]): boolean {
  if (errors.length < FEW) return false;
  const squares = errors.map((x) => x * x).toSorted((a, b) => b - a);
  const total = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0);
  return total(squares.slice(0, Math.ceil(errors.length / FEW))) >= NEARLY_ALL * total(squares);
}

export function rms(list: readonly number[]): number {
  if (list.length === 0) return 0;
  return Math.sqrt(list.reduce((sum, x) => sum + x * x, 0) / list.length);
}

export function difference(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, i) => x - b[i]);
}
