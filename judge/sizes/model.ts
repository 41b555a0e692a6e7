// Cases of a model's own shapes, made smaller where they would take more than the judge has.
//
// A whole shape may take a slow candidate hours. So each comes after smaller ones, and only if what these took lets expect that the
// candidate keeps to its time (ladder.ts).
import { headSize, llama3, type LlamaConfig, presets } from "../../reference/config.ts";
import type { Sizes } from "../case.ts";
import { bytesOfCase, MEMORY, numbersOfCase } from "../case-memory.ts";
import type { Chosen } from "../choose.ts";
import { MOST_WORK } from "../large.ts";

export const models = {
  "7B": presets["7B"],
  "13B": presets["13B"],
  "33B": presets["33B"],
  "65B": presets["65B"],
  "8B": llama3["8B"],
} as const satisfies Record<string, LlamaConfig>;
export type ModelName = keyof typeof models;

/** The most work of a shape's first case. */
const FIRST_WORK = 6 * MOST_WORK;
/** A shape of so many times that is its own first case. */
const LITTLE_MORE = 2;
/** A next case has at most so many times the work. */
export const STEP = 16;
/** Axes that count tokens go first, together; then the widths of the model, one by one. */
const TOKENS = ["R", "T", "S"];
const WIDTHS = ["N", "O", "V", "F", "C"];
/** Fewer rows than a tile has may take another way through a kernel: widths are lowered before that. In a later case there are many tiles. */
const A_TILE = 16;
const TILES = 256;

/** A case at a model's shapes. */
export interface ModelCase {
  readonly sizes: Sizes;
  /** What was made smaller, such as "R reduced from 2048 to 12"; empty where nothing was. */
  readonly reduced: readonly string[];
  /** What it takes: products, roughly, and bytes. */
  readonly work: number;
  readonly bytes: number;
  /** The sizes of the smaller case of the same shape that comes first; absent where this one runs in any case. */
  readonly after?: Sizes;
}

/** The cases of an op at the shapes of a model, none twice. */
export function modelCases(chosen: Chosen, model: ModelName): ModelCase[] {
  const lines = new Set<string>();
  return shapesOf(chosen, models[model]).flatMap((sizes) =>
    stepsTo(chosen, sizes).filter((found) => {
      const line = JSON.stringify(found.sizes);
      return !lines.has(line) && lines.add(line);
    }),
  );
}

/**
 * A first case, and others up to the shape itself, or to what memory has room for, each as many times larger as the one before. Where all
 * elements are judged, the judge's own work has a limit.
 */
function stepsTo(chosen: Chosen, asked: Sizes): ModelCase[] {
  const { sampling, large } = chosen.spec;
  const isCheap = sampling !== undefined || large?.isInBlocks === true;
  const whole = fitted(chosen, asked, isCheap ? Infinity : STEP * FIRST_WORK);
  if (whole.work <= LITTLE_MORE * FIRST_WORK) return [whole];
  const steps = [fitted(chosen, asked, FIRST_WORK)];
  const [{ work: least }] = steps;
  const count = Math.ceil(Math.log(whole.work / least) / Math.log(STEP));
  for (let n = 1; n <= count; n++) {
    const work = n === count ? whole.work : least * (whole.work / least) ** (n / count);
    steps.push({ ...fitted(chosen, asked, work), after: steps.at(-1)!.sizes });
  }
  return steps;
}

/** The sizes of an op by the letters of its axes; those that no model decides are ordinary. */
export function shapesOf({ operation, spec }: Chosen, config: LlamaConfig): Sizes[] {
  const { dim: C, ffnDim: F, vocabSize: V, nHeads: NH, nKvHeads: NKV, maxSeqLen, normEps, ropeTheta: theta } = config;
  const [HS, T] = [headSize(config), Math.min(maxSeqLen, MOST_TOKENS)];
  const widths = { C, F, V, NH, NKV, groups: NH / NKV, HS, N: C * F };
  const all: Sizes = { ...widths, B: 1, R: T, T, S: T, theta, eps: normEps.toExponential() };
  const base = Object.fromEntries(Object.entries(spec.ordinary).map(([name, value]) => [name, all[name] ?? value]));
  const [family] = operation.name.split(".");
  if (family === "softmax")
    return [
      { ...base, C: T },
      { ...base, C: V },
    ];
  if (family !== "linear") return [base];
  // wq and wo; wk and wv; w1 and w3; w2; the head.
  const products = [
    { O: C, C },
    { O: NKV * HS, C },
    { O: F, C },
    { O: C, C: F },
    { O: V, C },
  ];
  return products.map((own) => Object.assign({}, base, own));
}

/** The paper's sequences have 2,048 tokens. */
const MOST_TOKENS = 2048;

/** The sizes as large as that much work, and memory, allow. */
function fitted({ operation, spec }: Chosen, asked: Sizes, most: number): ModelCase {
  const work = (sizes: Sizes): number => spec.large?.work(sizes) ?? numbersOfCase(operation, sizes);
  const bytes = (sizes: Sizes): number =>
    bytesOfCase(spec, { sizes, profile: "unit" }, numbersOfCase(operation, sizes));
  const fits = (sizes: Sizes): boolean => work(sizes) <= most && bytes(sizes) <= MEMORY;
  const mend = spec.large?.mend ?? ((given: Sizes) => given);
  let sizes = mend(asked);
  const few = most > FIRST_WORK ? TILES : A_TILE;
  const steps = [[TOKENS, few] as const, ...WIDTHS.map((name) => [[name], A_TILE] as const), [TOKENS, 1] as const];
  for (const [names, least] of steps) if (!fits(sizes)) sizes = lowered(sizes, names, least, fits);
  sizes = mend(sizes);
  const reduced = Object.keys(asked).filter((name) => asked[name] !== sizes[name]);
  return {
    sizes,
    reduced: reduced.map((name) => `${name} reduced from ${asked[name]} to ${sizes[name]}`),
    work: work(sizes),
    bytes: bytes(sizes),
  };
}

/** The longest lengths of these axes that fit; `least` where none does. */
function lowered(sizes: Sizes, names: readonly string[], least: number, fits: (sizes: Sizes) => boolean): Sizes {
  const lengths = names
    .filter((name) => typeof sizes[name] === "number")
    .map((name) => [name, Number(sizes[name])] as const);
  const upTo = (most: number): Sizes => ({
    ...sizes,
    ...Object.fromEntries(lengths.map(([name, length]) => [name, Math.min(length, most)])),
  });
  let [low, high] = [least, lengths.reduce((most, [, length]) => Math.max(most, length), 1)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(upTo(middle))) low = middle;
    else high = middle - 1;
  }
  return upTo(low);
}
