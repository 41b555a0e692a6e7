// Who is checked: the kernels of this project, a module, or a process.
import type { Candidate } from "../reference/candidate.ts";
import { makeFolder } from "../formats/folder.ts";
import { functionCandidate } from "../judge/candidates/function.ts";
import { loadModule } from "../judge/candidates/module.ts";
import { startProcess } from "../judge/candidates/process.ts";
import { openDevice } from "../kernels-gpu/device/dawn.ts";
import { kernelOf } from "../kernels-gpu/index.ts";
import type { KernelProgram } from "../kernels-gpu/device/program.ts";
import type { Inputs, Operation, Outputs, Scalars } from "../reference/operation.ts";
import type { CheckOptions } from "./check-options.ts";
import type { Chosen } from "../judge/choose.ts";
import { deviceCandidate } from "../kernels-gpu/candidate.ts";
import { UserError } from "./errors.ts";

export interface Candidates {
  /** What runs, and on what. */
  readonly where: string;
  readonly of: (operation: Operation) => Candidate;
}

/** Opens what the options ask for; throws UserError or NoDeviceError where that cannot be had. `signal` ends a process. */
export async function openCandidates(
  options: CheckOptions,
  chosen: readonly Chosen[],
  signal?: AbortSignal,
): Promise<Candidates> {
  const { exec, kernel, dtype, timeout, adapter, evidence } = options;
  if (evidence !== undefined) makeFolder(evidence); // before any case is judged
  if (exec !== undefined) {
    if (exec.trim() === "")
      throw new UserError("--exec: the command is empty, expected such as --exec 'python3 mine.py'");
    const kept = evidence === undefined ? {} : { evidence };
    const terms = { command: exec, dtype, timeout: 1000 * timeout, ...kept, ...(signal && { signal }) };
    return { where: exec, of: (operation) => startProcess({ ...terms, operation }) };
  }
  const module = kernel === undefined ? undefined : await loadModule(kernel);
  if (typeof module === "function" && !isProgram(module)) {
    const compute = module as (inputs: Inputs, scalars: Scalars) => Promise<Outputs>;
    return { where: kernel!, of: (operation) => functionCandidate(kernel!, operation, compute) };
  }
  if (module !== undefined && !isProgram(module)) {
    throw new UserError(
      `--kernel ${kernel}: the default export is something else, expected a function or a kernel made by defineKernel`,
    );
  }
  const programOf = (operation: Operation): KernelProgram | undefined =>
    module === undefined ? kernelOf(operation.name) : (module as unknown as KernelProgram);
  for (const { operation } of chosen) {
    const program = programOf(operation);
    if (program === undefined)
      throw new UserError(`${operation.name}: the project has no kernel of it, expected --kernel or --exec`);
    if (module !== undefined) checkDeclaration(kernel!, program, operation);
  }
  const device = await openDevice({ adapter });
  return {
    where: kernel === undefined ? device.name : `${kernel} on ${device.name}`,
    of: (operation) => deviceCandidate(device, programOf(operation)!, operation, { timeout: 1000 * timeout }, dtype),
  };
}

function isProgram(exported: unknown): boolean {
  return typeof (exported as Partial<KernelProgram>).record === "function";
}

/** A kernel of someone else must take and give what the op does. */
function checkDeclaration(path: string, program: KernelProgram, operation: Operation): void {
  for (const part of ["inputs", "outputs"] as const) {
    const [got, wanted] = [
      Object.keys(program[part]).toSorted().join(", "),
      Object.keys(operation[part]).toSorted().join(", "),
    ];
    if (got !== wanted)
      throw new UserError(`--kernel ${path}: has the ${part} ${got}, expected ${wanted} for ${operation.name}`);
  }
}
