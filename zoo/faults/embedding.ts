// The embedding's faults. The kernels are right until a step is replaced.
import { bfloat16Cuda, faultsOf, type Kernel } from "./fault.ts";
import { bf16, empty, f32, floats, spoiling } from "./kernel.ts";

/** y = w[token], where row and column of w may be others. */
export function forward(
  place: (token: number, c: number, V: number) => readonly [row: number, column: number] = (token, c) => [token, c],
): Kernel {
  return (inputs) => {
    const { w } = floats(inputs);
    const [V, C] = w.shape;
    const tokens = inputs.tokens.data as Int32Array;
    const y = empty([tokens.length, C]);
    for (let i = 0; i < y.data.length; i++) {
      const [row, column] = place(tokens[Math.floor(i / C)], i % C, V);
      y.data[i] = w.data[row * C + column];
    }
    return { y };
  };
}

const right = {
  counts: (_r: number, _tokens: Int32Array): boolean => true,
  add: (total: number, x: number): number => f32(total + x),
};

/** dw[token] = Σ dy over the token's places. */
export function backward(replaced: Partial<typeof right> = {}): Kernel {
  const { counts, add } = { ...right, ...replaced };
  return (inputs, { V }) => {
    const { dy } = floats(inputs);
    const tokens = inputs.tokens.data as Int32Array;
    const C = dy.shape[1];
    const dw = empty([Number(V), C]);
    for (const [r, token] of tokens.entries()) {
      if (!counts(r, tokens)) continue;
      for (let c = 0; c < C; c++) dw.data[token * C + c] = add(dw.data[token * C + c], dy.data[r * C + c]);
    }
    return { dw };
  };
}

/** Occurrences are added in float32 over chunks of rows, and the chunks in bfloat16. */
const inChunks: Kernel = (inputs, scalars) => {
  const { dy } = floats(inputs);
  const tokens = inputs.tokens.data as Int32Array;
  const [R, C] = dy.shape;
  const size = R > 5000 ? 4096 : 32;
  const dw = empty([Number(scalars.V), C]);
  for (let at = 0; at < R; at += size) {
    const part = {
      dy: { data: dy.data.subarray(at * C, (at + size) * C), shape: [Math.min(size, R - at), C] },
      tokens: { data: tokens.subarray(at, at + size), shape: [Math.min(size, R - at)] },
    };
    const added = backward()(part, scalars).dw.data;
    for (let i = 0; i < added.length; i++) dw.data[i] = bf16(f32(dw.data[i] + added[i]));
  }
  return { dw };
};

const bf16Sum = (total: number, x: number): number => bf16(f32(total + x));

export const embeddingForward = faultsOf("embedding.forward", [
  [
    "last-token-clipped",
    "index",
    "the last token of the vocabulary reads the row before",
    () => forward((token, c, V) => [Math.min(token, Math.max(0, V - 2)), c]),
  ],
  ["int16", "size", "ids are 16-bit numbers", () => forward((token, c) => [token & 0xffff, c])],
  [
    "padding-zero",
    "formula",
    "token 0 is padding, its vector 0",
    () =>
      spoiling(
        forward(),
        (
          {
            y: {
              data,
              shape: [, C],
            },
          },
          { tokens },
        ) => {
          for (let i = 0; i < data.length; i++) if (tokens.data[Math.floor(i / C)] === 0) data[i] = 0;
        },
      ),
  ],
  [
    "wide-rows",
    "size",
    "channels from the 128th on are those of the first 128 again",
    () => forward((token, c) => [token, c % 128]),
  ],
]);

export const embeddingBackward = faultsOf("embedding.backward", [
  [
    "overwrite",
    "formula",
    "the last occurrence of a token overwrites the others",
    () => backward({ add: (_, x) => x }),
    {
      source: "tenstorrent/tt-metal 6232",
    },
  ],
  ["padding-zero", "formula", "token 0 gets no gradient", () => backward({ counts: (r, tokens) => tokens[r] !== 0 })],
  [
    "int16",
    "size",
    "ids are signed 16-bit numbers: those from 32,768 on are lost",
    () => backward({ counts: (r, tokens) => tokens[r] < 32_768 }),
  ],
  [
    "last-rows",
    "tail",
    "the last R % 32 rows give nothing",
    () => backward({ counts: (r, { length: R }) => R < 32 || r < R - (R % 32) }),
  ],
  ["bf16", "precision", "sums in bfloat16", () => backward({ add: bf16Sum })],
  [
    "neighbours",
    "state",
    "of two rows in a row with the same token the first is lost",
    () => backward({ counts: (r, tokens) => tokens[r] !== tokens[r + 1] }),
  ],
  [
    "sum-bf16-in",
    "precision",
    "with bfloat16 gradients the sums are bfloat16, too",
    () => backward({ add: bf16Sum }),
    {
      dtype: "bfloat16",
      source: "PyTorch 1.13.0, embedding backward",
    },
  ],
  [
    "chunks-bf16",
    "precision",
    "float32 over chunks of 32 rows, whose sums are added in bfloat16",
    () => inChunks,
    bfloat16Cuda,
  ],
]);
