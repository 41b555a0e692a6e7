// Correct evaluations of SwiGLU: σ from e^−z or e^−|z|, silu as a product or a quotient, the products in several orders.
import { type Evaluation, output } from "./evaluation.ts";
import type { Float32Arithmetic } from "./arithmetic.ts";

type Sigmoid = (f: Float32Arithmetic, z: number) => number;

const stable: Sigmoid = (f, z) => {
  const e = f.exp(-Math.abs(z));
  return f.divide(z < 0 ? e : 1, f.add(1, e));
};
// Below about −88 e^−z overflows, and the quotient by infinity is 0.
const plain: Sigmoid = (f, z) => f.divide(1, f.add(1, f.exp(-z)));
const sigmoids = { "e^−|z|": stable, "e^−z": plain };

const forwards: Evaluation[] = Object.entries(sigmoids).flatMap(([name, sigmoid]) => [
  {
    op: "swiglu.forward",
    variant: `σ from ${name}, (gate · σ) · up`,
    evaluate: (f, { gate, up }) => {
      const y = output(gate.shape);
      for (let i = 0; i < y.data.length; i++) {
        y.data[i] = f.multiply(f.multiply(gate.data[i], sigmoid(f, gate.data[i])), up.data[i]);
      }
      return { y };
    },
  },
  {
    op: "swiglu.forward",
    variant: `σ from ${name}, gate · (σ · up)`,
    evaluate: (f, { gate, up }) => {
      const y = output(gate.shape);
      for (let i = 0; i < y.data.length; i++) {
        y.data[i] = f.multiply(gate.data[i], f.multiply(sigmoid(f, gate.data[i]), up.data[i]));
      }
      return { y };
    },
  },
]);

const backwards: Evaluation[] = Object.entries(sigmoids).flatMap(([name, sigmoid]) =>
  (["σ(−z)", "1 − σ(z)", "multiplied out"] as const).map((form) => ({
    op: "swiglu.backward",
    variant: `σ from ${name}, ${form}`,
    evaluate: (f, { dy, gate, up }) => {
      const dgate = output(gate.shape);
      const dup = output(up.shape);
      for (let i = 0; i < dgate.data.length; i++) {
        const z = gate.data[i];
        const s = sigmoid(f, z);
        const complement = form === "σ(−z)" ? sigmoid(f, -z) : f.subtract(1, s);
        const slope =
          form === "multiplied out"
            ? f.multiplyAdd(f.multiply(z, s), complement, s)
            : f.multiply(s, f.multiplyAdd(z, complement, 1));
        dgate.data[i] = f.multiply(f.multiply(dy.data[i], up.data[i]), slope);
        dup.data[i] = f.multiply(dy.data[i], f.multiply(z, s));
      }
      return { dgate, dup };
    },
  })),
);

export const swiglu: readonly Evaluation[] = [...forwards, ...backwards];
