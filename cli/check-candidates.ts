// Who is checked: the kernels of this project, a module, or a process.
import { extname } from "node:path";
import type { Candidate } from "../reference/candidate.ts";
import { makeFolder } from "../formats/folder.ts";
import { defaultMemory, startModule } from "../judge/candidates/module.ts";
import { startProcess } from "../judge/candidates/process.ts";
import { openDevice } from "../kernels-gpu/device/dawn.ts";
import { heldBytesOf } from "../kernels-gpu/device/sizes.ts";
import { reopening } from "../kernels-gpu/device/reopening.ts";
import { kernelOf } from "../kernels-gpu/index.ts";
import type { Operation } from "../reference/operation.ts";
import type { CheckOptions } from "./check-options.ts";
import type { HostTerms } from "./check-host.ts";
import type { Chosen } from "../judge/choose.ts";
import { deviceCandidate } from "../kernels-gpu/candidate.ts";
import { UserError } from "./errors.ts";
import { printModule } from "./check-print.ts";
import { note } from "./output.ts";

export interface Candidates {
  /** What runs, and on what. */
  readonly where: string;
  readonly of: (operation: Operation) => Candidate;
}

/**
 * Opens what the options ask for; throws UserError, RangeError or NoDeviceError where that cannot be had. `signal` ends a module's
 * process, or a command's; Interrupted is thrown where it comes before they are ready.
 */
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
    const said = new Set<string>();
    const onUnkept = (why: string): void => {
      if (!said.has(why)) note(`no files kept: ${why}`);
      said.add(why);
    };
    const terms = { command: exec, dtype, timeout: 1000 * timeout, onUnkept, ...kept, ...(signal && { signal }) };
    return { where: exec, of: (operation) => startProcess({ ...terms, operation }) };
  }
  if (kernel !== undefined) return openModules(kernel, options, chosen, signal);
  for (const { operation } of chosen) {
    if (kernelOf(operation.name) === undefined)
      throw new UserError(`${operation.name}: the project has no kernel of it, expected --kernel or --exec`);
  }
  const device = await reopening(() => openDevice({ adapter }));
  const mostBytes = heldBytesOf((await device.current()).device);
  return {
    where: device.name,
    of: (operation) => ({
      name: operation.name,
      mostBytes,
      run: async (inputs, scalars) => {
        const current = await device.current();
        const own = kernelOf(operation.name)!;
        return deviceCandidate(current, own, operation, { timeout: 1000 * timeout }, dtype).run(inputs, scalars);
      },
    }),
  };
}

/** The module once for each op, so that one that cannot be loaded, or does not fit an op, is told before any case. */
async function openModules(
  path: string,
  { adapter, outputs, dtype, timeout, memory }: CheckOptions,
  chosen: readonly Chosen[],
  signal: AbortSignal | undefined,
): Promise<Candidates> {
  const host = new URL(`./check-host${extname(import.meta.url)}`, import.meta.url);
  const modules = new Map<string, Awaited<ReturnType<typeof startModule>>>();
  for (const { operation } of chosen) {
    const offered = outputs === undefined ? {} : { outputs: Object.keys(operation.outputs).join(",") };
    const terms: HostTerms = { op: operation.name, ...offered, adapter, dtype, timeout: 1000 * timeout };
    const module = await startModule({
      path,
      operation,
      timeout: 1000 * timeout,
      memory: memory === undefined ? defaultMemory() : memory * 2 ** 20,
      host,
      terms,
      print: printModule(path),
      ...(signal && { signal }),
    });
    modules.set(operation.name, module);
  }
  const device = modules.values().next().value?.where;
  return {
    where: device === undefined ? path : `${path} on ${device}`,
    of: (operation) => modules.get(operation.name)!,
  };
}
