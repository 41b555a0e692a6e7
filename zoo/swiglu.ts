// Correct evaluations of SwiGLU: σ from e^−z or e^−|z|, the products in several orders.
import { entriesOf, type EvaluationOf, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

type OfGate = (f: Float32Arithmetic, z: number) => number;

/** σ, and silu as one quotient, from the same exponential. Below about −88 e^−z overflows, and a quotient by infinity is 0. */
const forms = {
  "sigma-stable": {
    sigmoid: (f, z) => {
      const e = f.stored("exp", f.exp(-Math.abs(z)));
      return f.stored("sigmoid", f.divide(z < 0 ? e : 1, f.add(1, e)));
    },
    silu: (f, z) => {
      const e = f.stored("exp", f.exp(-Math.abs(z)));
      return f.stored("silu", f.divide(z < 0 ? f.multiply(z, e) : z, f.add(1, e)));
    },
  },
  "sigma-plain": {
    sigmoid: (f, z) => f.stored("sigmoid", f.divide(1, f.add(1, f.stored("exp", f.exp(-z))))),
    silu: (f, z) => f.stored("silu", f.divide(z, f.add(1, f.stored("exp", f.exp(-z))))),
  },
} satisfies Readonly<Record<string, Readonly<Record<"sigmoid" | "silu", OfGate>>>>;

type Form = (typeof forms)[keyof typeof forms];
type Value = (f: Float32Arithmetic, form: Form, gate: number, up: number) => number;

const products = {
  "silu-first": (f, { sigmoid }, gate, up) => f.multiply(f.stored("silu", f.multiply(gate, sigmoid(f, gate))), up),
  "up-first": (f, { sigmoid }, gate, up) =>
    f.multiply(gate, f.stored("up · sigmoid", f.multiply(sigmoid(f, gate), up))),
  "silu-quotient": (f, { silu }, gate, up) => f.multiply(silu(f, gate), up),
} satisfies Readonly<Record<string, Value>>;

export const forward = entriesOf(forms).flatMap(([name, of]) =>
  entriesOf(products).map(([form, value]): EvaluationOf<"swiglu.forward"> => ({
    op: "swiglu.forward",
    covers: [name, form],
    evaluate: (f, { gate, up }) => {
      const y = output(gate.shape);
      for (let i = 0; i < y.data.length; i++) y.data[i] = value(f, of, gate.data[i], up.data[i]);
      return { y };
    },
  })),
);

export const backward = entriesOf(forms).flatMap(([name, { sigmoid, silu }]) =>
  (["complement-mirrored", "complement-difference", "multiplied-out", "silu-quotient"] as const).map(
    (form): EvaluationOf<"swiglu.backward"> => ({
      op: "swiglu.backward",
      covers: [name, form],
      evaluate: (f, { dy, gate, up }) => {
        const dgate = output(gate.shape);
        const dup = output(up.shape);
        for (let i = 0; i < dgate.data.length; i++) {
          const z = gate.data[i];
          const s = sigmoid(f, z);
          const complement = form === "complement-mirrored" ? sigmoid(f, -z) : f.subtract(1, s);
          const slope =
            form === "multiplied-out"
              ? f.multiplyAdd(f.multiply(z, s), complement, s)
              : f.multiply(s, f.multiplyAdd(z, complement, 1));
          const dsilu = f.stored("dsilu", f.multiply(dy.data[i], up.data[i]));
          dgate.data[i] = f.multiply(dsilu, f.stored("slope", slope));
          const ofGate = form === "silu-quotient" ? silu(f, z) : f.stored("silu", f.multiply(z, s));
          dup.data[i] = f.multiply(dy.data[i], ofGate);
        }
        return { dgate, dup };
      },
    }),
  ),
);
