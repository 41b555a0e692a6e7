// Ops whose inputs and outputs have 16 bits, in known precision: what sums are kept in, and what is stored on the way.
import { candidate } from "../judge/candidates.ts";
import type { Candidate } from "../../reference/candidate.ts";
import type { Inputs, Scalars } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { forward as attention } from "./attention-kernels.ts";
import { type Kernel as ByStep, kernels } from "./kernels.ts";
import { asIs, type Line, nearest, type Word } from "./line.ts";
import { exactly, multiply } from "./products.ts";
import { type Dot, exactOrders, lowOrders, truncatingOrders } from "./sums.ts";

const dtypes = ["bfloat16", "float16"] as const;
type Low = (typeof dtypes)[number];
type Kernel = (inputs: Inputs, scalars: Scalars) => Record<string, Tensor>;

/** A kernel of which the outputs are stored in the dtype, statistics excepted. */
function stored(op: string, dtype: Low, kernel: Kernel): Candidate {
  const { wide } = operations.get(op)!;
  return candidate((inputs, scalars) =>
    Object.fromEntries(
      Object.entries(kernel(inputs, scalars)).map(([name, { data, shape }]) => [
        name,
        { data: Float32Array.from(data, wide.includes(name) ? asIs : nearest(dtype)), shape },
      ]),
    ),
  );
}

/** Of y: the statistics stay float32. */
function line(op: string, dtype: Low, truth: readonly [Word, ...Word[]], how: string, kernel: Kernel): Line {
  return { op, dtype, truth, how: `${dtype}, ${how}`, outputs: ["y"], candidate: stored(op, dtype, kernel) };
}

function products(dtype: Low): Line[] {
  const of = (orders: Readonly<Record<string, Dot>>, ...truth: [Word, ...Word[]]): Line[] =>
    Object.entries(orders).map(([how, dot]) =>
      line("linear.forward", dtype, truth, how, (inputs) => {
        const { x, w } = inputs as Record<string, Tensor>;
        const [[R, C], [O]] = [x.shape, w.shape];
        const times = multiply(exactly, dot, asIs, [R, O, C]);
        const y = times(
          (r, c) => x.data[r * C + c],
          (o, c) => w.data[o * C + c],
        );
        return { y };
      }),
    );
  return [
    of(exactOrders, "float32"),
    of(truncatingOrders, "float32, truncating", "float32"),
    ...dtypes.map((format) => of(lowOrders(format), `${format} accumulation`)),
  ].flat();
}

function attentions(dtype: Low): Line[] {
  const low = nearest(dtype);
  return [
    line("attention.forward", dtype, ["float32"], "as it is", (inputs) => attention(inputs, {})),
    line("attention.forward", dtype, [`${dtype} operands`], "P stored low", (inputs) =>
      attention(inputs, { steps: { P: low } }),
    ),
    {
      ...line("attention.forward", dtype, [`${dtype} intermediates (S)`], "S stored low", (inputs) =>
        attention(inputs, { steps: { S: low } }),
      ),
      outputs: ["y", "lse"],
    },
    line("attention.forward", dtype, [`${dtype} accumulation`], "all partial sums", (inputs) =>
      attention(inputs, { sums: low }),
    ),
  ];
}

const steps = { "swiglu.forward": "silu", "rmsnorm.forward": "n" } as const;

function intermediates(dtype: Low): Line[] {
  return (Object.keys(steps) as (keyof typeof steps)[]).flatMap((op) => {
    const kernel: ByStep = kernels[op];
    const run =
      (name: string): Kernel =>
      (inputs, scalars) =>
        kernel(inputs as Record<string, Tensor>, scalars, (step, x) => (step === name ? nearest(dtype)(x) : x), inputs);
    const words: [Word, ...Word[]] = [`${dtype} intermediates`, `${dtype} intermediates (${steps[op]})`];
    return [
      line(op, dtype, ["float32"], "as it is", run("")),
      line(op, dtype, words, `${steps[op]} stored low`, run(steps[op])),
    ];
  });
}

export const sixteen: readonly Line[] = dtypes.flatMap((dtype) =>
  [products, attentions, intermediates].flatMap((linesOf) => linesOf(dtype)),
);
