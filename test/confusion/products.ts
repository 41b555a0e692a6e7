// Matrix products of every precision: what is read low, and how it is added up.
import type { Inputs, Outputs } from "../../reference/operation.ts";
import { candidate } from "../judge/candidates.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { asIs, cutOff, eighths, type Line, nearest, type Reading, type Word } from "./line.ts";
import { cores, type Dot, exactOrders, lowBlocks, lowOrders, truncatingOrders } from "./sums.ts";

/** The pieces of which a factor is read as a sum. */
type Pieces = (x: number) => readonly number[];

/** How a product of two numbers is formed: from the pieces of the left and the right one, and which of their products. */
export interface Reader {
  readonly left: Pieces;
  readonly right: Pieces;
  readonly pairs: readonly (readonly [number, number])[];
  /** Each factor is scaled so that its largest number is this, where it is given. */
  readonly most?: readonly [number | undefined, number | undefined];
}

const single = (left: Reading, right: Reading): Reader => ({
  left: (x) => [left(x)],
  right: (x) => [right(x)],
  pairs: [[0, 0]],
});

/** x as a sum of `count` numbers of a format, each what the ones before leave. */
function split(read: Reading, count: number): Pieces {
  return (x) => {
    const pieces: number[] = [];
    for (let left = x; pieces.length < count; left -= pieces.at(-1)!) pieces.push(read(left));
    return pieces;
  };
}

export function splitReader(read: Reading, count: number, kept: number): Reader {
  const pairs = Array.from({ length: count * count }, (_, i) => [Math.floor(i / count), i % count] as const)
    .filter(([i, j]) => i + j < kept)
    .toSorted(([a, b], [c, d]) => c + d - a - b); // the smallest first
  return { left: split(read, count), right: split(read, count), pairs };
}

/** A product of matrices [rows, n] and [columns, n], each given by where its element lies. */
export function multiply(
  reader: Reader,
  dot: Dot,
  store: Reading,
  [rows, columns, n]: readonly [number, number, number],
) {
  const terms = reader.pairs.length * n;
  const scaleOf = (count: number, at: (i: number, k: number) => number, side: 0 | 1): number => {
    const most = reader.most?.[side];
    if (most === undefined) return 1;
    let largest = 0;
    for (let i = 0; i < count; i++) for (let k = 0; k < n; k++) largest = Math.max(largest, Math.abs(at(i, k)));
    return most / largest;
  };
  const gather = (
    count: number,
    at: (i: number, k: number) => number,
    of: Pieces,
    side: 0 | 1,
    scale: number,
  ): Float64Array[] =>
    Array.from({ length: count }, (_, i) => {
      const line = new Float64Array(terms);
      for (let k = 0; k < n; k++) {
        const pieces = of(at(i, k) * scale);
        for (const [p, pair] of reader.pairs.entries()) line[p * n + k] = pieces[pair[side]];
      }
      return line;
    });
  return (left: (i: number, k: number) => number, right: (j: number, k: number) => number): Tensor<Float32Array> => {
    const [ofA, ofB] = [scaleOf(rows, left, 0), scaleOf(columns, right, 1)];
    const [a, b] = [gather(rows, left, reader.left, 0, ofA), gather(columns, right, reader.right, 1, ofB)];
    const data = new Float32Array(rows * columns);
    for (let i = 0; i < data.length; i++) {
      data[i] = store(dot(a[Math.floor(i / columns)], b[i % columns], terms) / (ofA * ofB));
    }
    return { data, shape: [rows, columns] };
  };
}

interface Manner {
  readonly truth: (left: string, right: string) => readonly [Word, ...Word[]];
  readonly how: string;
  readonly reader: Reader;
  readonly dot: Dot;
  readonly store?: Reading;
  /** As of a line. */
  readonly beyond?: number;
}

const always =
  (...words: [Word, ...Word[]]) =>
  (): [Word, ...Word[]] =>
    words;
export const exactly = single(asIs, asIs);

function each<T>(dots: Readonly<Record<string, Dot>>, of: (name: string, dot: Dot) => T): T[] {
  return Object.entries(dots).map(([name, dot]) => of(name, dot));
}

const someOrders = { sequential: exactOrders.sequential, lanes: exactOrders.lanes, ...cores };

/** Factors read in a format: both, the left one, the right one. */
function low(format: "tf32" | "bfloat16" | "float16"): Manner[] {
  return (
    [
      ["rounded", nearest],
      ["cut off", cutOff],
    ] as const
  ).flatMap(([how, reading]) => {
    const read = reading(format);
    return each(someOrders, (name, dot): Manner => ({
      truth: always(`${format} inputs`),
      how: `both ${how}, ${name}`,
      reader: single(read, read),
      dot,
    })).concat(
      each(someOrders, (name, dot) => ({
        truth: (left) => [`${format} inputs (${left})`],
        how: `the left ${how}, ${name}`,
        reader: single(read, asIs),
        dot,
      })),
      each(someOrders, (name, dot) => ({
        truth: (_, right) => [`${format} inputs (${right})`],
        how: `the right ${how}, ${name}`,
        reader: single(asIs, read),
        dot,
      })),
    );
  });
}

/** Factors as sums of pieces: XLA's BF16_BF16_F32_X3, X6 and X9, and TF32_TF32_F32_X3; the second and third are as exact as float32. */
function splits(
  count: number,
  kept: number,
  format: "tf32" | "bfloat16",
  [first, ...others]: readonly [Word, ...Word[]],
): Manner[] {
  return ([nearest, cutOff] as const).flatMap((reading) =>
    each(someOrders, (name, dot) => ({
      // Three pieces and two of TF32 leave nothing but the core's own truncation.
      truth: always(
        first,
        ...others,
        ...(name === "core" && first !== "bfloat16x3 inputs" ? ["float32, truncating"] : []),
      ),
      how: `${count} pieces of ${format}, ${reading === nearest ? "rounded" : "cut off"}, ${name}`,
      reader: splitReader(reading(format), count, kept),
      dot,
    })),
  );
}

/** Factors read in FP8, as they are and scaled to the format's largest number. */
function float8(name: "float8_e4m3fn" | "float8_e5m2"): Manner[] {
  const largest = name === "float8_e5m2" ? 57_344 : 448;
  const read = name === "float8_e5m2" ? eighths(2, -14, largest) : eighths(3, -6, largest);
  return [undefined, largest].flatMap((most) =>
    each({ lanes: exactOrders.lanes, ...cores }, (order, dot): Manner[] => {
      const how = `${most === undefined ? "as it is" : "scaled"}, ${order}`;
      const both: Manner = {
        truth: (left, right) => [
          `${name} inputs`,
          `${name} inputs (${left}, ${right})`,
          `${name} inputs (${right}, ${left})`,
        ],
        how,
        reader: { ...single(read, read), most: [most, most] },
        dot,
      };
      return [
        both,
        {
          truth: (left) => [`${name} inputs (${left})`],
          how,
          reader: { ...single(read, asIs), most: [most, undefined] },
          dot,
        },
        {
          truth: (_, right) => [`${name} inputs (${right})`],
          how,
          reader: { ...single(asIs, read), most: [undefined, most] },
          dot,
        },
      ];
    }).flat(),
  );
}

/** Partial sums kept in a format, and results. */
function lowResults(format: "bfloat16" | "float16"): Manner[] {
  const sums = each(lowOrders(format), (how, dot) => ({
    truth: always(`${format} accumulation`),
    how,
    reader: exactly,
    dot,
  }));
  const store = nearest(format);
  const outputs = each(exactOrders, (how, dot) => ({
    truth: always(`${format} outputs`),
    how,
    reader: exactly,
    dot,
    store,
  }));
  return [...sums, ...outputs];
}

/** Some partial sums alone are low. No class is that; the nearest may be said, and never float32. */
function lowInPart(format: "bfloat16" | "float16"): Manner[] {
  return [16, 256, 2048].map((block) => ({
    truth: always(
      `${format} in part`,
      `${format} accumulation`,
      "coarser than float32, in no class",
      "in no class: few elements are wrong",
    ),
    how: `sums of blocks of ${block}`,
    reader: exactly,
    dot: lowBlocks(format, block),
    beyond: block,
  }));
}

const manners: readonly Manner[] = [
  each(exactOrders, (how, dot) => ({ truth: always("float32"), how, reader: exactly, dot })),
  // A short sum that is cut off errs no more than some rounded ones.
  each(truncatingOrders, (how, dot) => ({
    truth: always("float32, truncating", "float32"),
    how,
    reader: exactly,
    dot,
  })),
  low("tf32"),
  low("bfloat16"),
  low("float16"),
  splits(2, 2, "bfloat16", ["bfloat16x3 inputs"]),
  splits(3, 3, "bfloat16", ["float32"]),
  splits(3, 5, "bfloat16", ["float32"]),
  splits(2, 2, "tf32", ["tf32x3 inputs", "float32"]),
  float8("float8_e4m3fn"),
  float8("float8_e5m2"),
  lowResults("bfloat16"),
  lowResults("float16"),
  lowInPart("bfloat16"),
  lowInPart("float16"),
].flat();

/** linear.forward in every manner. */
const forward = manners.map(({ truth, how, reader, dot, store = asIs, beyond }): Line => ({
  op: "linear.forward",
  truth: truth("x", "w"),
  how,
  ...(beyond !== undefined && { beyond }),
  candidate: candidate((inputs) => {
    const { x, w } = inputs as Record<string, Tensor>;
    const [[R, C], [O]] = [x.shape, w.shape];
    const times = multiply(reader, dot, store, [R, O, C]);
    return {
      y: times(
        (r, c) => x.data[r * C + c],
        (o, c) => w.data[o * C + c],
      ),
    };
  }),
}));

/** Both products of linear.backward in every manner. */
const backward = manners.flatMap(({ truth, how, reader, dot, store = asIs, beyond }): Line[] => {
  const run = candidate((inputs: Inputs): Outputs => {
    const { dy, x, w } = inputs as Record<string, Tensor>;
    const [[R, C], [O]] = [x.shape, w.shape];
    const [ofX, ofW] = [multiply(reader, dot, store, [R, C, O]), multiply(reader, dot, store, [O, C, R])];
    return {
      dx: ofX(
        (r, o) => dy.data[r * O + o],
        (c, o) => w.data[o * C + c],
      ),
      dw: ofW(
        (o, r) => dy.data[r * O + o],
        (c, r) => x.data[r * C + c],
      ),
    };
  });
  const line = { op: "linear.backward", how, candidate: run, ...(beyond !== undefined && { beyond }) } as const;
  return [
    { ...line, truth: truth("dy", "w"), outputs: ["dx"] },
    { ...line, truth: truth("dy", "x"), outputs: ["dw"] },
  ];
});

export const products: readonly Line[] = [...forward, ...backward];
