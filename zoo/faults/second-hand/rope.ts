// The angles of RoPE by exp2, and the rotation of pairs by four.
import { cos as exactCos, power, sin as exactSin } from "../../../reference/elementary.ts";
import { bfloat16Cuda, type FaultTerms, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, f32, floats, type Floats32, fp16, reading, spoiling } from "../kernel.ts";
import { ceilTo, outputs } from "./shared.ts";

interface Angles {
  readonly exponent: (i: number, HS: number) => number;
  readonly theta: (theta: number, last: number) => number;
  readonly position: (t: number, start: number, T: number) => number;
  readonly angle: (position: number, frequency: number) => number;
}

const asWritten: Angles = {
  exponent: (i, HS) => (-2 * i) / HS,
  theta: (theta) => theta,
  position: (t, start) => start + t,
  angle: (position, frequency) => position * frequency,
};

export function table(change: Partial<Angles> = {}): Kernel {
  const { exponent, theta: base, position, angle } = { ...asWritten, ...change };
  return (_, scalars) => {
    const [theta, HS, start, T] = ["theta", "HS", "start", "T"].map((name) => Number(scalars[name]));
    const half = HS / 2;
    const [cos, sin] = [empty([T, half]), empty([T, half])];
    for (let i = 0; i < half; i++) {
      const frequency = power(base(theta, start + T), exponent(i, HS));
      for (let t = 0; t < T; t++) {
        const a = angle(position(t, start, T), frequency);
        cos.data[t * half + i] = exactCos(a);
        sin.data[t * half + i] = exactSin(a);
      }
    }
    return outputs({ cos, sin });
  };
}

/** Angles beyond 4,096 are reduced by turns of 6.28319. */
function sixDigits(position: number, frequency: number): number {
  const a = position * frequency;
  return a > 4096 ? a - Math.floor(a / 6.28319) * 6.28319 : a;
}

/** A table is kept for a theta and a head size, from whatever position it began at, until a longer one is asked for. */
function grown(): Kernel {
  const kept = new Map<string, Readonly<Record<string, Floats32>>>();
  return (inputs, scalars) => {
    const key = `${scalars.theta} ${scalars.HS}`;
    const T = Number(scalars.T);
    let held = kept.get(key);
    if (held === undefined || held.cos.shape[0] < T) {
      held = table()(inputs, scalars) as Record<string, Floats32>;
      kept.set(key, held);
    }
    const half = Number(scalars.HS) / 2;
    const cut = ({ data }: Floats32): Floats32 => ({ data: data.slice(0, T * half), shape: [T, half] });
    return outputs({ cos: cut(held.cos), sin: cut(held.sin) });
  };
}

export const ropeTable = faultsOf("rope-table.forward", [
  [
    "second/spread-over-one-less",
    "size",
    "beyond a head size of 128 the exponents are spread evenly to −1: −2i / (HS − 2)",
    () => table({ exponent: (i, HS) => (-2 * i) / (HS > 128 ? HS - 2 : HS) }),
  ],
  [
    "second/position-in-half",
    "size",
    "positions are kept in float16: beyond 2,048 every other one is taken for its neighbour",
    () => table({ position: (t, start) => fp16(start + t) }),
  ],
  [
    "second/positions-to-4096",
    "size",
    "positions wrap around at 4,096",
    () => table({ position: (t, start) => (start + t) % 4096 }),
  ],
  [
    "second/grown-table",
    "state",
    "a table is kept for a theta and a head size, whatever position it began at, until a longer one is asked for",
    grown,
  ],
  [
    "second/turn-of-six-digits",
    "precision",
    "angles beyond 4,096 are reduced by turns of 6.28319",
    () => table({ angle: sixDigits }),
    { target: "cuda" },
  ],
  [
    "second/base-scaled-for-length",
    "size",
    "beyond position 3,000 theta is scaled by length / 3,000, as for a model that was extended",
    () => table({ theta: (theta, last) => (last > 3000 ? f32((theta * last) / 3000) : theta) }),
  ],
  [
    "second/angle-in-bfloat16",
    "precision",
    "angles are formed in bfloat16",
    () => table({ angle: (p, f) => bf16(bf16(p) * bf16(f)) }),
    { source: "huggingface/transformers#29285" },
  ],
  [
    "second/second-step-of-the-grid",
    "size",
    "rows of the second grid step, from T = 1,024, take the position of the step, not of the row",
    () => table({ position: (t, start) => start + (t < 1024 ? t : t - (t % 4)) }),
  ],
  [
    "second/last-frequency-of-odd-halves",
    "tail",
    "pairs are made two at a time; where HS / 2 is odd, the last one repeats the frequency before",
    () => table({ exponent: (i, HS) => (-2 * (i > 0 && (HS / 2) % 2 === 1 && i === HS / 2 - 1 ? i - 1 : i)) / HS }),
  ],
]);

interface Turn {
  readonly pair: (i: number, HS: number, adjacent: boolean) => readonly [number, number];
  /** The row of the table. */
  readonly row: (t: number, b: number, h: number, T: number) => number;
  /** The column of the table. */
  readonly column: (i: number, t: number, half: number) => number;
  readonly sign: (i: number, T: number, B: number) => number;
  readonly product: (a: number, b: number) => number;
}

const plain: Turn = {
  pair: (i, HS, adjacent) => (adjacent ? [2 * i, 2 * i + 1] : [i, i + HS / 2]),
  row: (t) => t,
  column: (i) => i,
  sign: () => 1,
  product: (a, b) => f32(a * b),
};

/** x: [B, T, NH, HS], turned by the table's angles, or by their negatives. */
export function turned(from: string, to: string, direction: 1 | -1, change: Partial<Turn> = {}): Kernel {
  const { pair, row, column, sign, product } = { ...plain, ...change };
  return (inputs, { layout }) => {
    const { [from]: x, cos, sin } = floats(inputs);
    const [B, T, NH, HS] = x.shape;
    const half = HS / 2;
    const y = empty(x.shape);
    for (let head = 0; head < B * T * NH; head++) {
      const [h, t, b] = [head % NH, Math.floor(head / NH) % T, Math.floor(head / NH / T)];
      const at = row(t, b, h, T) * half;
      for (let i = 0; i < half; i++) {
        const [first, second] = pair(i, HS, layout === "adjacent").map((at_) => head * HS + at_);
        const c = cos.data[at + column(i, t, half)];
        const s = direction * sin.data[at + column(i, t, half)];
        y.data[first] = product(x.data[first], c) - sign(i, T, B) * product(x.data[second], s);
        y.data[second] = product(x.data[first], s) + product(x.data[second], c);
      }
    }
    return outputs({ [to]: y });
  };
}

const ofForward = (
  name: string,
  kind: "index" | "size" | "tail" | "precision" | "range",
  what: string,
  change: Partial<Turn>,
  terms: FaultTerms = {},
) => [`second/${name}`, kind, what, () => turned("x", "y", 1, change), terms] as const;
const ofBackward = (
  name: string,
  kind: "index" | "size" | "tail" | "precision" | "range",
  what: string,
  change: Partial<Turn>,
  terms: FaultTerms = {},
) => [`second/${name}`, kind, what, () => turned("dy", "dx", -1, change), terms] as const;

/** The half of a head in a block that is a power of two. */
const paddedHalf = (HS: number): number => {
  let block = 2;
  while (block < HS) block *= 2;
  return block / 2;
};

/** Overwrites heads whose number has more than 16 bits. */
const headIn16Bits = (output: string, kernel: Kernel): Kernel =>
  spoiling(kernel, ({ [output]: y }) => y.data.fill(0, 65536 * y.shape[3]));

export const ropeForward = faultsOf("rope.forward", [
  ofForward(
    "halves-of-a-padded-head",
    "size",
    "half-split heads whose size is no power of two are split in the middle of the padded head",
    { pair: (i, HS, adjacent) => (adjacent ? [2 * i, 2 * i + 1] : [i, Math.min(HS - 1, i + paddedHalf(HS))]) },
  ),
  ofForward(
    "position-of-the-batch",
    "index",
    "position t + b: each sequence of a batch begins one later than the one before",
    { row: (t, b, _, T) => Math.min(T - 1, t + b) },
  ),
  ofForward(
    "heads-beyond-16",
    "size",
    "heads go in groups of 16, and the second group takes the angles of the next position",
    { row: (t, _, h, T) => (h >= 16 ? Math.min(T - 1, t + 1) : t) },
  ),
  ofForward(
    "layout-of-large-heads",
    "size",
    "from a head size of 128 pairs are half-split, whichever layout was asked for",
    { pair: (i, HS, adjacent) => (adjacent && HS < 128 ? [2 * i, 2 * i + 1] : [i, i + HS / 2]) },
  ),
  ofForward(
    "misaligned-table",
    "tail",
    "from head size 12: where HS / 2 is no multiple of four, odd rows of the table are read from the aligned address below",
    { column: (i, t, half) => (half > 4 && half % 4 !== 0 && t % 2 === 1 ? Math.max(0, i - ((t * half) % 4)) : i) },
  ),
  ofForward(
    "sign-of-packed-pairs",
    "index",
    "float16 in pairs: the sign bit is flipped in the low half alone, so odd pairs add the sine",
    { sign: (i) => (i % 2 === 1 ? -1 : 1) },
    { dtype: "float16", target: "cuda" },
  ),
  [
    "second/in-place",
    "tail",
    "turned in place where HS % 8 ≠ 0: the second of a pair is made from the first, already turned",
    inPlace,
  ],
  [
    "second/head-number-in-16-bits",
    "size",
    "heads are numbered in 16 bits over batch, positions and heads: from 65,536 they are never written",
    () => headIn16Bits("y", turned("x", "y", 1)),
  ],
]);

function inPlace(): Kernel {
  return (inputs, scalars) => {
    const { x, cos, sin } = floats(inputs);
    const y = turned("x", "y", 1)(inputs, scalars).y as Floats32;
    const [, T, NH, HS] = x.shape;
    if (HS % 8 === 0) return { y };
    for (let head = 0; head < x.data.length / HS; head++) {
      const at = (Math.floor(head / NH) % T) * (HS / 2);
      for (let i = 0; i < HS / 2; i++) {
        const [first, second] = plain.pair(i, HS, scalars.layout === "adjacent").map((p) => head * HS + p);
        y.data[second] = f32(y.data[first] * sin.data[at + i]) + f32(x.data[second] * cos.data[at + i]);
      }
    }
    return { y };
  };
}

export const ropeBackward = faultsOf("rope.backward", [
  [
    "second/decoded-forwards",
    "size",
    "the path for one position, T = 1, turns forwards",
    () => {
      const [one, many] = [turned("dy", "dx", 1), turned("dy", "dx", -1)];
      return (inputs, scalars) => (inputs.dy.shape[1] === 1 ? one : many)(inputs, scalars);
    },
  ],
  ofBackward(
    "sequence-of-one-batch",
    "index",
    "where B = 2 or more the second half of the positions begins one early",
    { row: (t, b, _, T) => (b > 0 && T > 1 && t >= ceilTo(T, 2) / 2 ? t - 1 : t) },
  ),
  [
    "second/sine-in-bfloat16",
    "precision",
    "beyond a head size of 64 the sines are read in bfloat16, the cosines as they are",
    () => {
      const [exact, low] = [turned("dy", "dx", -1), reading({ sin: bf16 }, turned("dy", "dx", -1))];
      return (inputs, scalars) => (inputs.dy.shape[3] > 64 ? low : exact)(inputs, scalars);
    },
    bfloat16Cuda,
  ],
]);
