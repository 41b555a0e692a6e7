// A kernel in TypeScript:  touchstone check --op swiglu.forward --kernel ./swiglu.ts --target ieee
import { type KernelFunction, tensor } from "touchstone-llama";

const { fround } = Math;

/** y = silu(gate) · up, each step rounded to float32. */
const swiglu: KernelFunction<"swiglu.forward"> = ({ gate, up }) => {
  const y = gate.data.map((z, i) => {
    const e = fround(Math.exp(-Math.abs(z))); // at most 1, so it cannot overflow
    const silu = fround(fround(z < 0 ? z * e : z) / fround(1 + e));
    return silu * up.data[i]!;
  });
  return { y: tensor(y, gate.shape) };
};

export default swiglu;
