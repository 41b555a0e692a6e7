// A kernel of this project as a candidate for the judge.
import type { Candidate } from "../golden/candidates/candidate.ts";
import type { Device } from "../kernels-gpu/device.ts";
import type { Program } from "../kernels-gpu/kernel.ts";
import { launch, type LaunchOptions, offences } from "../kernels-gpu/launch.ts";
import type { Operation, Scalars } from "../reference/operation.ts";

/** Runs a program on the device in checked mode; what it does to memory that is not its own becomes a complaint. */
export function deviceCandidate(
  device: Device,
  program: Program,
  operation: Operation,
  options: LaunchOptions = {},
): Candidate {
  return {
    name: operation.name,
    run: async (inputs, scalars) => {
      const { outputs, hygiene } = await launch(device, program, inputs, numbersOf(operation, scalars), options);
      return { outputs, complaints: offences(hygiene) };
    },
  };
}

/** Words become their place in the operation's list: a uniform holds numbers only. */
function numbersOf(operation: Operation, scalars: Scalars): Record<string, number> {
  return Object.fromEntries(
    Object.entries(scalars).map(([name, value]) => {
      const kind = operation.scalars[name];
      return [name, typeof value === "number" ? value : (kind as readonly string[]).indexOf(value)];
    }),
  );
}
