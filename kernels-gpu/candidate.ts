// A kernel of this project as a candidate for the judge.
import type { Candidate } from "../reference/candidate.ts";
import type { Device } from "./device/device.ts";
import type { KernelProgram } from "./device/program.ts";
import { offences } from "./device/guards.ts";
import { launch, type LaunchOptions } from "./device/launch.ts";
import { type LowType, lowTypes } from "./device/packed.ts";
import { heldBytesOf } from "./device/sizes.ts";
import type { DTypeName } from "../reference/dtype.ts";
import { type Operation, type Scalars, storageOf } from "../reference/operation.ts";

/**
 * Runs a program on the device in checked mode; anything it does to memory that is not its own becomes a complaint. In a dtype
 * of 16 bits its tensors are packed on the device. Throws RangeError unless its inputs and outputs are the op's.
 */
export function deviceCandidate(
  device: GPUDevice | Device,
  program: KernelProgram,
  operation: Operation,
  options: LaunchOptions = {},
  dtype: DTypeName = "float32",
): Candidate {
  checkProgram(program, operation);
  const launching = { ...options, low: lowTensors(program, operation, dtype) };
  return {
    name: operation.name,
    mostBytes: heldBytesOf("device" in device ? device.device : device),
    run: async (inputs, scalars) => {
      const { outputs, hygiene } = await launch(
        device,
        program,
        inputs,
        numbersOf(operation, program, scalars),
        launching,
      );
      return { outputs, complaints: offences(hygiene) };
    },
  };
}

function checkProgram(program: KernelProgram, operation: Operation): void {
  const listed = (names: readonly string[]): string => names.toSorted().join(", ") || "none";
  for (const part of ["inputs", "outputs"] as const) {
    const left = part === "outputs" ? (operation.notOffered ?? []) : [];
    const [got, expected] = [program[part], operation[part]].map((specs) =>
      listed(Object.keys(specs).filter((name) => !left.includes(name))),
    );
    if (got !== expected) {
      throw new RangeError(`${program.id}: the ${part} are ${got}, expected those of ${operation.name}: ${expected}`);
    }
  }
}

/** Which inputs and outputs of an op are stored in 16 bits. */
function lowTensors(program: KernelProgram, operation: Operation, dtype: DTypeName): ReadonlyMap<string, LowType> {
  const names = [...Object.keys(program.inputs), ...Object.keys(program.outputs)];
  return new Map(
    names.flatMap((name) => {
      const stored = storageOf(operation, name, dtype);
      const isInteger = operation.integers.includes(name);
      return (stored === "bfloat16" || stored === "float16") && !isInteger ? [[name, lowTypes[stored]]] : [];
    }),
  );
}

/**
 * The scalars that a program declares: it may do without some of the operation's. A word becomes its index in the operation's
 * list, because a uniform holds only numbers.
 */
export function numbersOf(operation: Operation, program: KernelProgram, scalars: Scalars): Record<string, number> {
  return Object.fromEntries(
    Object.entries(scalars)
      .filter(([name]) => program.scalars.includes(name))
      .map(([name, value]) => {
        const kind = operation.scalars[name];
        return [name, typeof value === "number" ? value : (kind as readonly string[]).indexOf(value)];
      }),
  );
}
