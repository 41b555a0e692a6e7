// Looks for races in a kernel without a GPU: interprets its dispatches, and notes who touches which word of memory between which barriers.
import type { RaceReport } from "../../reference/candidate.ts";
import type { Floats, Ints, Tensor } from "../../reference/tensor.ts";
import type { ByName } from "../device/names.ts";
import type { KernelProgram } from "../device/program.ts";
import type { KernelRecorder } from "../device/recorder.ts";
import { asTensor } from "../device/tensors.ts";
import { OutOfSteps } from "./machine.ts";
import { NotInterpreted } from "./module.ts";
import { Interpreter, type InterpreterOptions } from "./recorder.ts";

type Outputs = Readonly<Record<string, Tensor<Float32Array | Int32Array>>>;

/** What interpreting a program's dispatches has shown. */
export interface Looked extends RaceReport {
  /** Steps of loops and calls that were taken. */
  readonly steps: number;
  /** Writes outside of bindings and variables, in words. */
  readonly beyond: readonly string[];
  /** Absent where it stopped. */
  readonly outputs?: Outputs;
}

/** Interprets a program on these inputs. Throws RangeError, SyntaxError or TypeError where a launch would. */
export function lookForRaces(
  program: KernelProgram,
  inputs: ByName<string, Tensor<Floats | Ints>>,
  scalars: ByName<string, number>,
  options: InterpreterOptions,
): Looked {
  const { usesAtomics, ...looked } = interpret(program, inputs, scalars, options);
  if (!usesAtomics || looked.races.length > 0 || looked.outputs === undefined) return looked;
  const reversed = interpret(program, inputs, scalars, { ...options, isReversed: true });
  if (reversed.outputs === undefined) return looked;
  return { ...looked, unordered: differences(looked.outputs, reversed.outputs) };
}

function interpret(
  program: KernelProgram,
  inputs: ByName<string, Tensor<Floats | Ints>>,
  scalars: ByName<string, number>,
  options: InterpreterOptions,
): Looked & { readonly usesAtomics: boolean } {
  const interpreter = new Interpreter(options);
  const report = () => {
    const { usesAtomics, found, steps, beyond } = interpreter;
    return { usesAtomics, steps, beyond, unordered: [], ...found };
  };
  try {
    const uploads = Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [name, interpreter.upload(tensor, name)]),
    );
    const recorded = program.record(interpreter as unknown as KernelRecorder, uploads, scalars);
    const outputs = Object.fromEntries(
      Object.entries(recorded).map(([name, tensor]) => [name, asTensor(tensor, interpreter.wordsOf(tensor))]),
    );
    return { ...report(), outputs };
  } catch (error) {
    if (!(error instanceof OutOfSteps || error instanceof NotInterpreted)) throw error;
    return { ...report(), stopped: error.message };
  }
}

/** The first element of each output that differs. */
function differences(forward: Outputs, reversed: Outputs): string[] {
  return Object.entries(forward).flatMap(([name, { data }]) => {
    const other = reversed[name]!.data;
    const at = data.findIndex((x, i) => !Object.is(x, other[i]));
    if (at === -1) return [];
    return [`${name}[${at}] depends on the order of the invocations: ${data[at]} or, in reverse, ${other[at]}`];
  });
}
