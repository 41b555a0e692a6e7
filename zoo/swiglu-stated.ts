// Correct evaluations of SwiGLU by tanh or a sigmoid of its own, for targets that state these functions. They are apart from the others, which every
// target can be judged by.
import { entriesOf, type Evaluation, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";
import { gradient, slopes } from "./swiglu.ts";

/** σ by either. Both halvings by tanh are exact. */
type Stated = "tanh" | "sigmoid";
const byFunction = {
  tanh: (f, z) => f.stored("sigmoid", f.add(0.5, f.tanh(z / 2) / 2)),
  sigmoid: (f, z) => f.stored("sigmoid", f.sigmoid(z)),
} satisfies Readonly<Record<Stated, (f: Float32Arithmetic, z: number) => number>>;
const names = { tanh: "sigma-by-tanh", sigmoid: "sigma-by-function" } as const;
const siluByTanh = (f: Float32Arithmetic, z: number): number => f.multiplyAdd(z / 2, f.tanh(z / 2), z / 2);

/** y or dup from a silu or σ of such a function. */
const statedProducts = [
  {
    covers: [names.tanh, "silu-first"],
    of: (f, z, other) => f.multiply(f.multiply(z, byFunction.tanh(f, z)), other),
  },
  { covers: ["silu-by-tanh"], of: (f, z, other) => f.multiply(siluByTanh(f, z), other) },
  {
    covers: [names.sigmoid, "up-first"],
    of: (f, z, other) => f.multiply(z, f.multiply(byFunction.sigmoid(f, z), other)),
  },
] as const satisfies readonly {
  covers: readonly string[];
  of: (f: Float32Arithmetic, z: number, other: number) => number;
}[];

const forward = statedProducts.map(({ covers, of }): EvaluationOf<"swiglu.forward"> => ({
  op: "swiglu.forward",
  covers,
  evaluate: (f, { gate, up }) => {
    const y = output(gate.shape);
    for (let i = 0; i < y.data.length; i++) y.data[i] = of(f, gate.data[i], up.data[i]);
    return { y };
  },
}));

const backward = entriesOf(byFunction).flatMap(([needs, sigma]) =>
  slopes.map((form): EvaluationOf<"swiglu.backward"> => {
    const dupOf = needs === "tanh" && form === "slope-last" ? statedProducts[1] : undefined;
    return {
      op: "swiglu.backward",
      covers: [names[needs], form, ...(dupOf?.covers ?? [])],
      evaluate: (f, { dy, gate, up }) => {
        const [dgate, dup] = [output(gate.shape), output(up.shape)];
        const sigmaOf = (x: number): number => sigma(f, x);
        for (let i = 0; i < dgate.data.length; i++) {
          const [z, upstream] = [gate.data[i], dy.data[i]];
          dgate.data[i] = gradient(f, form, sigmaOf, z, upstream, up.data[i]);
          dup.data[i] = dupOf?.of(f, z, upstream) ?? f.multiply(upstream, f.multiply(z, sigmaOf(z)));
        }
        return { dgate, dup };
      },
    };
  }),
);

/** By the names of the ops. */
export const statedEvaluations: Readonly<Record<string, readonly Evaluation[]>> = {
  "swiglu.forward": forward,
  "swiglu.backward": backward,
};
