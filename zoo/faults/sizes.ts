// Faults that begin at a size, along one axis or two: tiles of 64, 128 and 256, grids of 65,535, 16-bit offsets.
import * as adamw from "./adamw.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as elementwise from "./elementwise.ts";
import * as embedding from "./embedding.ts";
import { type Fault, faultsOf } from "./fault.ts";
import * as gradients from "./gradients.ts";
import { f32, type Floats32, rowsIn, spoiling, sum } from "./kernel.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as rope from "./rope.ts";
import * as softmax from "./softmax.ts";
import * as swiglu from "./swiglu.ts";

/** In rows from `row` on and columns from `column` on, `to` replaces the number at a place. */
function beyond({ data, shape }: Floats32, row: number, column: number, to: (i: number, C: number) => number): void {
  const C = shape.at(-1)!;
  for (let i = row * C; i < data.length; i++) if (i % C >= column) data[i] = to(i, C);
}

const grid = { source: "ggml-org/llama.cpp 19965; onnxruntime-web 1.30.0, SkipSimplifiedLayerNormalization" } as const;

export const sizes: readonly Fault[] = [
  faultsOf("rmsnorm.forward", [
    [
      "rows-beyond-65535",
      "size",
      "rows from the 65,535th on stay 0",
      () => spoiling(rmsnorm.forward(), ({ y }) => beyond(y, 65_535, 0, () => 0)),
      grid,
    ],
    [
      "many-wide-rows",
      "size",
      "from the 64th row on, channels beyond 256 are left out of the sum",
      () =>
        rmsnorm.forward({
          squares: (x, r) => sum(r >= 64 ? Math.min(256, x.length) : x.length, (c) => f32(x[c] * x[c])),
        }),
    ],
    [
      "second-output-is-mean",
      "formula",
      "rstd is the mean of the row; y is right",
      () =>
        spoiling(rmsnorm.forward(), ({ rstd }, { x }) => {
          for (const [r, row] of rowsIn(x as Floats32).entries())
            rstd.data[r] = sum(row.length, (c) => row[c]) / row.length;
        }),
      { source: "onnxruntime 1.30.0, SimplifiedLayerNormalization" },
    ],
  ]),
  faultsOf("rmsnorm.backward", [
    [
      "gain-of-128-rows",
      "size",
      "dw from channel 128 on sums the first 128 rows only",
      () =>
        spoiling(rmsnorm.backward(), ({ dw }, inputs, scalars) => {
          const [R, C] = inputs.x.shape;
          if (R <= 128 || C <= 128) return;
          const cut = Object.fromEntries(
            Object.entries(inputs).map(([name, t]) => [
              name,
              name === "w"
                ? t
                : { data: t.data.subarray(0, (t.data.length / R) * 128), shape: [128, ...t.shape.slice(1)] },
            ]),
          );
          const part = rmsnorm.backward()(cut, scalars).dw.data;
          dw.data.set(part.subarray(128) as Float32Array, 128);
        }),
    ],
  ]),
  faultsOf("softmax.forward", [
    [
      "two-axes-64",
      "size",
      "from the 64th row and column on, numbers are those of the column before",
      () =>
        spoiling(softmax.forward(), ({ y }) => {
          const before = y.data.slice();
          beyond(y, 64, 64, (i) => before[i - 1]);
        }),
    ],
  ]),
  faultsOf("swiglu.forward", [
    [
      "one-minus",
      "precision",
      "for z < 0 the sigmoid is 1 − 1 ÷ (1 + e^z), which cancels",
      () =>
        swiglu.forward((z, up) =>
          f32(f32(z * f32(z < 0 ? 1 - f32(1 / f32(1 + Math.exp(z))) : 1 / f32(1 + Math.exp(-z)))) * up),
        ),
      {
        source: "onnxruntime 1.30.0, QuickGelu",
        target: "ieee",
      },
    ],
    [
      "rows-beyond-65535",
      "size",
      "rows from the 65,535th on stay 0",
      () => spoiling(swiglu.forward(), ({ y }) => beyond(y, 65_535, 0, () => 0)),
      grid,
    ],
  ]),
  faultsOf("cross-entropy.forward", [
    [
      "micro-means",
      "formula",
      "the mean of the means of two micro-batches",
      () =>
        crossEntropy.forward({
          total: (losses) => {
            const half = losses.length >> 1;
            const mean = (from: number, to: number): number => f32(sum(to, (i) => losses[i], f32, from) / (to - from));
            const parts = half === 0 ? (losses[0] ?? 0) : f32(f32(mean(0, half) + mean(half, losses.length)) / 2);
            return f32(parts * losses.length);
          },
        }),
      { source: "transformers 34191" },
    ],
    [
      "classes-of-256",
      "size",
      "with more than 64 rows, the last V % 256 classes of more than 1,024 are left out of the sum",
      () => (inputs, scalars) => {
        const [R, V] = inputs.logits.shape;
        return crossEntropy.forward({ classes: () => (R > 64 && V > 1024 ? V - (V % 256) : V) })(inputs, scalars);
      },
    ],
    [
      "log-17-bits",
      "precision",
      "the logarithm is good to 17 bits",
      () => crossEntropy.forward({ logSum: (x) => f32(Math.log(x) * (1 + 2 ** -17)) }),
      { source: "@jax-js/jax 0.1.25", target: "ieee" },
    ],
  ]),
  faultsOf("cross-entropy.backward", [
    [
      "wide-second-tile",
      "size",
      "from the 64th row on, classes from the 1,024th on get no gradient",
      () => spoiling(crossEntropy.backward(), ({ dlogits }) => beyond(dlogits, 64, 1024, () => 0)),
    ],
  ]),
  faultsOf("embedding.forward", [
    [
      "rows-beyond-65535",
      "size",
      "rows from the 65,535th on stay 0",
      () => spoiling(embedding.forward(), ({ y }) => beyond(y, 65_535, 0, () => 0)),
      grid,
    ],
    [
      "row-offset-16-bits",
      "size",
      "the offset of a row of w has 16 bits",
      () => (inputs, scalars) => {
        const C = inputs.w.shape[1];
        return embedding.forward((token, c) => [Math.floor(((token * C) % 65_536) / Math.max(1, C)), c])(
          inputs,
          scalars,
        );
      },
      { source: "Liger-Kernel 1296, 1483; flash-linear-attention 1080" },
    ],
  ]),
  faultsOf("rope.forward", [
    [
      "heads-beyond-16",
      "size",
      "from the 16th head and the 64th position on, pairs are not turned",
      () => rope.forward({ turns: ({ h, t }) => !(h >= 16 && t >= 64) }),
    ],
  ]),
  faultsOf("rope.backward", [
    [
      "positions-beyond-128",
      "size",
      "positions from the 128th on are turned by the angles of 128 before",
      () => rope.backward({ row: ({ t }) => t % 128 }),
    ],
  ]),
  faultsOf("add.forward", [
    [
      "elements-beyond-65535",
      "size",
      "elements from 65,535 workgroups of 64 on stay 0",
      () => elementwise.add((a, b, i) => (i >= 65_535 * 64 ? 0 : f32(a + b))),
      grid,
    ],
    [
      "aliases",
      "index",
      "y aliases b, which later additions read: every 64th sum is added twice",
      () => elementwise.add((a, b, i) => f32(a + (i % 64 === 63 ? f32(a + b) : b))),
      { source: "ggml-org/llama.cpp 26146" },
    ],
  ]),
  faultsOf("gradient-norm.forward", [
    [
      "first-1024",
      "size",
      "of more than 4,096 gradients the last N % 1,024 are left out",
      () =>
        gradients.norm((g) =>
          Math.sqrt(
            sum(
              g.length > 4096 ? g.length - (g.length % 1024) : g.length,
              (i) => g[i] ** 2,
              (x) => x,
            ),
          ),
        ),
    ],
  ]),
  faultsOf("adamw.forward", [
    [
      "beyond-2048",
      "size",
      "weights from the 2,048th on take g of the weight before",
      () => (inputs, scalars) => {
        const { data, shape } = inputs.g as Floats32;
        return adamw.forward()(
          { ...inputs, g: { data: data.map((x, i) => (i >= 2048 ? data[i - 1] : x)), shape } },
          scalars,
        );
      },
    ],
  ]),
].flat();
