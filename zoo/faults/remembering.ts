// Kernels that remember: results and inputs of earlier calls, and memory as they left it.
import type { Inputs, Outputs, Scalars } from "../../reference/operation.ts";
import type { Kernel } from "./fault.ts";
import { spoiling } from "./kernel.ts";

/** Under which key a result is kept. */
export type KeyOf = (inputs: Inputs, scalars: Scalars) => string;

export const shapes: KeyOf = (inputs) =>
  Object.values(inputs)
    .map(({ shape }) => shape.join())
    .join(" ");

/** The first result under a key serves all later calls. */
export function remembering(key: KeyOf, kernel: Kernel): Kernel {
  const known = new Map<string, Outputs>();
  return (inputs, scalars) => {
    const name = key(inputs, scalars);
    if (!known.has(name)) known.set(name, kernel(inputs, scalars));
    return known.get(name)!;
  };
}

/** An input is the one of the first call with its shape, as a copy is that was made for it once. */
export function keptInput(name: string, kernel: Kernel): Kernel {
  const kept = new Map<string, Inputs[string]>();
  return (inputs, scalars) => {
    const key = shapes(inputs, scalars);
    if (!kept.has(key)) kept.set(key, { ...inputs[name], data: inputs[name].data.slice() });
    return kernel({ ...inputs, [name]: kept.get(key)! }, scalars);
  };
}

/** An input is the one of the call before, where that has the same shape. */
export function lateInput(name: string, kernel: Kernel): Kernel {
  let before: Inputs[string] | undefined;
  return (inputs, scalars) => {
    const now = inputs[name];
    const read = before?.shape.join() === now.shape.join() ? before : now;
    before = { ...now, data: now.data.slice() };
    return kernel({ ...inputs, [name]: read }, scalars);
  };
}

/** Some elements of an output are not written: they hold what the last call with as many left there. */
export function unwritten(
  name: string,
  isLeft: (i: number, shape: readonly number[]) => boolean,
  kernel: Kernel,
): Kernel {
  const memory = new Map<number, Float32Array>();
  return spoiling(kernel, (outputs) => {
    const { data, shape } = outputs[name];
    const before = memory.get(data.length);
    for (let i = 0; i < data.length; i++) if (isLeft(i, shape)) data[i] = before?.[i] ?? 0;
    memory.set(data.length, data.slice());
  });
}

/** From the n-th call with the same shapes on, another kernel runs, as one that was tuned. */
export function tuned(n: number, first: Kernel, then: Kernel): Kernel {
  const calls = new Map<string, number>();
  return (inputs, scalars) => {
    const key = shapes(inputs, scalars);
    calls.set(key, (calls.get(key) ?? 0) + 1);
    return (calls.get(key)! >= n ? then : first)(inputs, scalars);
  };
}
