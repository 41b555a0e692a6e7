// In the process of a module (judge/candidates/module-child.ts): makes a function of the kernel that the module declares. The device is
// opened here too, so a kernel that hangs or brings down Dawn does so in that process.
import { choose } from "../judge/choose.ts";
import type { Hosted } from "../judge/candidates/module-wire.ts";
import { deviceCandidate, numbersOf } from "../kernels-gpu/candidate.ts";
import { openDevice } from "../kernels-gpu/device/dawn.ts";
import type { KernelProgram } from "../kernels-gpu/device/program.ts";
import type { Operation } from "../reference/operation.ts";
import type { CheckOptions } from "./check-options.ts";
import { UserError } from "./errors.ts";
import { offeredIn } from "./terms.ts";

/** Steps of loops and calls that are followed in one case: about two seconds. */
const RACE_STEPS = 2_000_000;

export interface HostTerms extends Pick<CheckOptions, "adapter" | "dtype" | "outputs"> {
  readonly op: string;
  /** Milliseconds that a launch may take. */
  readonly timeout: number;
}

/** Throws UserError or NoDeviceError. */
export async function host(
  program: KernelProgram,
  { op, outputs, adapter, dtype, timeout }: HostTerms,
): Promise<Hosted> {
  const [{ operation }] = offeredIn(outputs, choose([op]));
  checkDeclaration(program, operation);
  const device = await openDevice({ adapter });
  const { run } = deviceCandidate(device, program, operation, { timeout }, dtype);
  let isSpent = false;
  void device.failed.then(() => (isSpent = true));
  return {
    where: device.name,
    run: (inputs, scalars) => run(inputs as never, scalars as never),
    races: async (inputs, scalars) => {
      const { lookForRaces } = await import("../kernels-gpu/races/index.ts");
      const { races, unordered, workgroups, stopped } = lookForRaces(
        program,
        inputs as never,
        numbersOf(operation, program, scalars as never),
        { steps: RACE_STEPS },
      );
      return { races, unordered, workgroups, ...(stopped === undefined ? {} : { stopped }) };
    },
    isSpent: () => isSpent,
  };
}

/** A kernel of someone else must take and give what the op does. */
function checkDeclaration(program: KernelProgram, operation: Operation): void {
  for (const part of ["inputs", "outputs"] as const) {
    const left = part === "outputs" ? (operation.notOffered ?? []) : [];
    const [got, wanted] = [program[part], operation[part]].map((specs) =>
      Object.keys(specs)
        .filter((name) => !left.includes(name))
        .toSorted()
        .join(", "),
    );
    if (got !== wanted) throw new UserError(`has the ${part} ${got}, expected ${wanted} for ${operation.name}`);
  }
}
