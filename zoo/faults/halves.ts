// Faults of tensors in float16: sums that stop at 2,048, products that overflow at 65,504, shares that vanish at 6 · 10⁻⁸.
import * as attention from "./attention-forward.ts";
import * as attentionBack from "./attention-backward.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as elementwise from "./elementwise.ts";
import * as embedding from "./embedding.ts";
import { type Fault, faultsOf } from "./fault.ts";
import * as gradients from "./gradients.ts";
import { bf16, chunked, exp, f32, fp16, reading, sum } from "./kernel.ts";
import * as linear from "./linear.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as rope from "./rope.ts";
import * as swiglu from "./swiglu.ts";

const float16 = { dtype: "float16" } as const;
const float16Ieee = { ...float16, target: "ieee" } as const;
const float16Cuda = { ...float16, target: "cuda" } as const;
const halfDot = (a: Float32Array, b: Float32Array): number => sum(a.length, (i) => fp16(f32(a[i] * b[i])), fp16);
const sigmoid = (z: number): number => f32(1 / f32(1 + exp(-z)));

export const halves: readonly Fault[] = [
  faultsOf("linear.forward", [
    ["sum-fp16", "precision", "sums in float16", () => linear.forward(halfDot), float16],
    [
      "partials-fp16",
      "precision",
      "sums of 64 products in float32 are added in float16",
      () => linear.forward((a, b) => chunked(a.length, 64, (i) => f32(a[i] * b[i]), fp16)),
      float16Cuda,
    ],
    [
      "through-bf16",
      "precision",
      "inputs pass through bfloat16",
      () => reading({ x: bf16, w: bf16 }, linear.forward()),
      float16,
    ],
  ]),
  faultsOf("linear.backward", [
    ["dw-sum-fp16", "precision", "dw is summed in float16", () => linear.backward({ dw: halfDot }), float16],
    ["dx-sum-fp16", "precision", "dx is summed in float16", () => linear.backward({ dx: halfDot }), float16Cuda],
  ]),
  faultsOf("attention.forward", [
    [
      "p-fp16",
      "precision",
      "the weights are float16 before the product with v, undeclared",
      () => attention.forward({ weight: fp16 }),
      float16Cuda,
    ],
    [
      "scores-half",
      "precision",
      "scores are float16, undeclared",
      () => attention.forward({ score: (x, scale) => fp16(f32(x * scale)) }),
      float16Ieee,
    ],
    [
      "scores-fp16-before-scale",
      "range",
      "q · k is float16 before it is scaled, and overflows",
      () => attention.forward({ score: (x, scale) => f32(fp16(x) * scale) }),
      float16,
    ],
    [
      "sum-fp16",
      "precision",
      "weights and their sum are float16",
      () => attention.forward({ exp: (x) => fp16(exp(x)) }),
      float16Cuda,
    ],
  ]),
  faultsOf("attention.backward", [
    [
      "ds-half",
      "precision",
      "dS is float16, undeclared",
      () => attentionBack.backward({ ds: (p, dp, D) => fp16(f32(p * f32(dp - D))) }),
      float16Cuda,
    ],
    ["dp-fp16", "precision", "dP is float16, undeclared", () => attentionBack.backward({ dp: fp16 }), float16Cuda],
    [
      "p-fp16-in-dv",
      "precision",
      "the weights are float16 for dv, undeclared",
      () => attentionBack.backward({ weightInDv: fp16 }),
      float16Cuda,
    ],
  ]),
  faultsOf("rmsnorm.forward", [
    [
      "squares-half",
      "range",
      "squares are float16, and overflow above 255",
      () => rmsnorm.forward({ squares: (x) => sum(x.length, (c) => fp16(f32(x[c] * x[c]))) }),
      float16,
    ],
    [
      "sum-fp16",
      "precision",
      "the sum of squares is float16",
      () => rmsnorm.forward({ squares: (x) => sum(x.length, (c) => f32(x[c] * x[c]), fp16) }),
      float16,
    ],
    [
      "before-gain",
      "precision",
      "x · rstd is rounded to float16 before the gain, undeclared",
      () => rmsnorm.forward({ y: (x, rstd, w) => f32(fp16(f32(x * rstd)) * w) }),
      { ...float16, source: "transformers 30236; google/gemma_pytorch 67" },
    ],
  ]),
  faultsOf("rmsnorm.backward", [
    [
      "dw-sum-fp16",
      "precision",
      "dw is summed in float16",
      () => rmsnorm.backward({ gain: (R, term) => sum(R, term, fp16) }),
      float16,
    ],
    [
      "n-fp16",
      "precision",
      "x · rstd is rounded to float16, undeclared",
      () => rmsnorm.backward({ n: (x, rstd) => fp16(f32(x * rstd)) }),
      float16Cuda,
    ],
  ]),
  faultsOf("swiglu.forward", [
    [
      "product-first",
      "range",
      "gate · up is float16 before the sigmoid, and overflows",
      () => swiglu.forward((z, up) => f32(fp16(f32(z * up)) * sigmoid(z))),
      float16,
    ],
    [
      "silu-fp16",
      "precision",
      "silu is rounded to float16 before the product, undeclared",
      () => swiglu.forward((z, up) => f32(fp16(f32(z * sigmoid(z))) * up)),
      float16,
    ],
  ]),
  faultsOf("swiglu.backward", [
    [
      "upstream-fp16",
      "precision",
      "dy · up is rounded to float16, undeclared",
      () => swiglu.backward({ upstream: (dy, up) => fp16(f32(dy * up)) }),
      float16Cuda,
    ],
  ]),
  faultsOf("cross-entropy.forward", [
    [
      "total-fp16",
      "precision",
      "the sum of exponentials is float16 before its logarithm",
      () => crossEntropy.forward({ logSum: (total) => f32(Math.log(fp16(total))) }),
      float16,
    ],
  ]),
  faultsOf("cross-entropy.backward", [
    [
      "softmax-fp16",
      "range",
      "the softmax is float16 before it is scaled: shares below 3 · 10⁻⁸ vanish, others lose bits",
      () => crossEntropy.backward({ p: fp16 }),
      float16,
    ],
  ]),
  faultsOf("embedding.backward", [
    [
      "sum-fp16",
      "precision",
      "sums in float16, which stop at 2,048",
      () => embedding.backward({ add: (total, x) => fp16(f32(total + x)) }),
      { ...float16, source: "PyTorch 1.13.0, embedding backward" },
    ],
  ]),
  faultsOf("rope.forward", [
    [
      "table-fp16",
      "precision",
      "the table is read as float16, undeclared",
      () => reading({ cos: fp16, sin: fp16 }, rope.forward()),
      float16,
    ],
    [
      "products-fp16",
      "precision",
      "products are rounded to float16, undeclared",
      () =>
        rope.forward({
          turn: (x1, x2, c, s) => [
            f32(fp16(f32(x1 * c)) - fp16(f32(x2 * s))),
            f32(fp16(f32(x1 * s)) + fp16(f32(x2 * c))),
          ],
        }),
      float16,
    ],
  ]),
  faultsOf("rope.backward", [
    [
      "table-fp16",
      "precision",
      "the table is read as float16, undeclared",
      () => reading({ cos: fp16, sin: fp16 }, rope.backward()),
      float16,
    ],
  ]),
  faultsOf("cast.forward", [
    [
      "truncates-fp16",
      "precision",
      "truncated, not rounded, to float16",
      () => elementwise.cast((x) => (Math.abs(fp16(x)) > Math.abs(x) ? fp16(x * (1 - 2 ** -11)) : x)),
      float16,
    ],
    [
      "saturates",
      "range",
      "numbers beyond 65,504 become 65,504 in place of infinity",
      () => elementwise.cast((x) => Math.min(65_504, Math.max(-65_504, x))),
      float16Ieee,
    ],
    [
      "flushes",
      "range",
      "float16's subnormal numbers become 0",
      () => elementwise.cast((x) => (Math.abs(x) < 2 ** -14 ? 0 : x)),
      float16Ieee,
    ],
    ["by-way-of-bf16", "precision", "rounded to bfloat16 first", () => elementwise.cast(bf16), float16],
  ]),
  faultsOf("add.forward", [
    [
      "by-way-of-bf16",
      "precision",
      "the sum is rounded to bfloat16, then to float16",
      () => elementwise.add((a, b) => bf16(f32(a + b))),
      float16,
    ],
  ]),
  faultsOf("gradient-norm.forward", [
    [
      "squares-fp16",
      "range",
      "squares are float16: gradients above 255 overflow, those below 2 · 10⁻⁴ vanish",
      () => gradients.norm((g) => Math.sqrt(g.reduce((total, x) => total + fp16(f32(x * x)), 0))),
      float16,
    ],
  ]),
].flat();
