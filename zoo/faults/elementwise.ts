// Faults of addition and of rounding to 16 bits.
import { bits } from "../../reference/random.ts";
import { faultsOf, type Kernel } from "./fault.ts";
import { bf16, f32, floats, mapped, reading, tf32 } from "./kernel.ts";

/** y = a + b. */
export function add(of: (a: number, b: number, i: number, N: number) => number = (a, b) => f32(a + b)): Kernel {
  return (inputs) => {
    const { a, b } = floats(inputs);
    return { y: mapped(a, (x, i) => of(x, b.data[i], i, a.data.length)) };
  };
}

/** y = x, rounded to the output's dtype. */
export function cast(of: (x: number, i: number) => number = (x) => x): Kernel {
  return (inputs) => ({ y: mapped(floats(inputs).x, of) });
}

const word = new DataView(new ArrayBuffer(4));
/** The upper 16 bits of x's bits plus an addend. */
function upper(x: number, addend: (bits: number) => number): number {
  word.setFloat32(0, x);
  const given = word.getUint32(0);
  word.setUint32(0, ((given + addend(given)) & 0xffff0000) >>> 0);
  return word.getFloat32(0);
}

/** Rounded up or down at random, otherwise in each call. */
function stochastic(): Kernel {
  let calls = 0;
  return (inputs, scalars) => {
    calls++;
    return cast((x, i) => upper(x, () => bits(calls, 0, i) % 65_536))(inputs, scalars);
  };
}

export const addForward = faultsOf("add.forward", [
  ["bf16", "precision", "the sum is rounded to bfloat16", () => add((a, b) => bf16(f32(a + b)))],
  ["tail", "tail", "the last N % 4 sums are a", () => add((a, b, i, N) => (i < N - (N % 4) ? f32(a + b) : a))],
  ["tf32", "precision", "the addends are read as TF32", () => reading({ a: tf32, b: tf32 }, add())],
]);

export const castForward = faultsOf("cast.forward", [
  [
    "truncates",
    "precision",
    "truncated, not rounded, to bfloat16",
    () => cast((x) => upper(x, () => 0)),
    { dtype: "bfloat16" },
  ],
  ["stochastic", "precision", "rounded at random, up or down", stochastic, { dtype: "bfloat16" }],
  [
    "double-rounding",
    "precision",
    "rounded to float16's 11 bits first, then to bfloat16",
    () => cast((x) => bf16(tf32(x))),
    { dtype: "bfloat16" },
  ],
  [
    "nan",
    "range",
    "no case for NaN: a NaN becomes −0 or infinity",
    () => cast((x) => upper(x, (b) => 0x7fff + ((b >>> 16) & 1))),
    {
      dtype: "bfloat16",
      target: "ieee",
      source: "tinygrad 11843; tenstorrent/tt-metal 51557; dotnet/runtime 130583; groonga/groonga 2961",
    },
  ],
]);
