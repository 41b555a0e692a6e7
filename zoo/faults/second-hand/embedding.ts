// Embedding: one block a row; the backward sorts the tokens and adds up each run.
import { bfloat16Cuda, faultsOf, type Kernel } from "../fault.ts";
import { bf16, empty, f32, floats, spoiling } from "../kernel.ts";
import { once, outputs } from "./shared.ts";

export function forward(
  row: (token: number) => number = (t) => t,
  read: (x: number, c: number, token: number) => number = (x) => x,
): Kernel {
  return (inputs) => {
    const { tokens, w } = floats(inputs);
    const [R, C] = [tokens.shape[0], w.shape[1]];
    const y = empty([R, C]);
    for (let r = 0; r < R; r++) {
      const from = row(tokens.data[r]) * C;
      for (let c = 0; c < C; c++) y.data[r * C + c] = read(w.data[from + c], c, tokens.data[r]);
    }
    return outputs({ y });
  };
}

function hotRows(): Kernel {
  const kept = once<Float32Array>();
  return (inputs, scalars) => {
    const { w } = floats(inputs);
    const held = kept(`${w.shape}`, () => w.data.slice(0, 64 * w.shape[1]));
    const data = w.data.slice();
    data.set(held);
    return forward()({ ...inputs, w: { data, shape: w.shape } }, scalars);
  };
}

export const embeddingForward = faultsOf("embedding.forward", [
  [
    "second/token-in-int16",
    "size",
    "tokens are signed 16-bit numbers, and negative ones are clamped: from 32,768 they read row 0",
    () => forward((t) => (t >= 32768 ? 0 : t)),
  ],
  [
    "second/one-thread-a-column",
    "size",
    "one block of 1,024 threads a row, without a loop: columns beyond are never written",
    () => forward(undefined, (x, c) => (c < 1024 ? x : 0)),
  ],
  [
    "second/padding-index-left-on",
    "formula",
    "token 0 is taken for padding, and its row is 0",
    () => forward(undefined, (x, _, token) => (token === 0 ? 0 : x)),
  ],
  [
    "second/subnormals-of-half",
    "range",
    "float16 passes through a unit that flushes its subnormal numbers",
    () => forward(undefined, (x) => (Math.abs(x) < 0.00006103515625 ? 0 : x)),
    { dtype: "float16", target: "cuda" },
  ],
  [
    "second/hot-rows",
    "state",
    "the rows of the first 64 tokens are kept from the first call of a table's shape",
    hotRows,
  ],
]);

interface Backward {
  /** Whether two neighbours of the sorted list belong to one run. */
  readonly joins: (a: number, b: number) => boolean;
  /** How many rows of a run are added. */
  readonly longest: number;
  readonly add: (sum: number, term: number) => number;
}

export function backward(change: Partial<Backward> = {}): Kernel {
  const { joins, longest, add }: Backward = {
    joins: (a, b) => a === b,
    longest: Infinity,
    add: (s, t) => f32(s + t),
    ...change,
  };
  return (inputs, { V }) => {
    const { dy, tokens } = floats(inputs);
    const [R, C] = dy.shape;
    const dw = empty([Number(V), C]);
    const order = Array.from({ length: R }, (_, r) => r).toSorted((a, b) => tokens.data[a] - tokens.data[b] || a - b);
    let [head, length] = [0, 0];
    for (const [i, r] of order.entries()) {
      if (i === 0 || !joins(tokens.data[order[i - 1]], tokens.data[r])) [head, length] = [tokens.data[r], 0];
      if (length++ >= longest) continue;
      for (let c = 0; c < C; c++) dw.data[head * C + c] = add(dw.data[head * C + c], dy.data[r * C + c]);
    }
    return outputs({ dw });
  };
}

function untouchedRows(): Kernel {
  const kept = new Map<string, Float32Array>();
  return spoiling(backward(), ({ dw }, inputs) => {
    const [V, C] = dw.shape;
    const before = kept.get(`${V} ${C}`);
    const touched = new Set(inputs.tokens.data);
    if (before !== undefined)
      for (let v = 0; v < V; v++) if (!touched.has(v)) dw.data.set(before.subarray(v * C, v * C + C), v * C);
    kept.set(`${V} ${C}`, dw.data.slice());
  });
}

export const embeddingBackward = faultsOf("embedding.backward", [
  ["second/runs-of-96", "size", "at most 96 rows of one token are added", () => backward({ longest: 96 })],
  [
    "second/atomics-in-bfloat16",
    "precision",
    "rows are added in bfloat16, one after the other",
    () => backward({ add: (s, t) => bf16(s + t) }),
    bfloat16Cuda,
  ],
  [
    "second/untouched-rows",
    "state",
    "rows of tokens that do not occur are not cleared after an earlier call of the same shape",
    untouchedRows,
  ],
  [
    "second/runs-by-low-byte",
    "size",
    "runs of the sorted tokens are told apart by their low byte: t and t + 256, where nothing lies between, become one",
    () => backward({ joins: (a, b) => (a & 255) === (b & 255) }),
    { missed: "a large V comes with few rows; --sizes 'V>=16000 V<=32768 R=128 C=4' rejects it" },
  ],
  [
    "second/runs-join-at-a-block",
    "tail",
    "beyond 1,024 rows, the second row of a run that crosses a block of 1,024 begins a new sum, which replaces the old one",
    replacing,
  ],
]);

function replacing(): Kernel {
  return (inputs, { V }) => {
    const { dy, tokens } = floats(inputs);
    const [R, C] = dy.shape;
    const dw = empty([Number(V), C]);
    const order = Array.from({ length: R }, (_, r) => r).toSorted((a, b) => tokens.data[a] - tokens.data[b] || a - b);
    for (const [i, r] of order.entries()) {
      const token = tokens.data[r];
      if (i > 0 && i % 1024 === 0) dw.data.fill(0, token * C, token * C + C);
      for (let c = 0; c < C; c++) dw.data[token * C + c] = f32(dw.data[token * C + c] + dy.data[r * C + c]);
    }
    return outputs({ dw });
  };
}
