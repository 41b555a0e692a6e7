/**
 * There is no device of the requested kind: the message is one line that says what is missing.
 *
 * @example
 * ```ts
 * import { NoDeviceError, openDevice } from "touchstone-llama/node";
 *
 * try {
 *   (await openDevice()).close();
 * } catch (error) {
 *   if (error instanceof NoDeviceError) console.log(error.message); // "no device: …: npm install webgpu, …"
 * }
 * ```
 */
export class NoDeviceError extends Error {
  override readonly name = "NoDeviceError";
}

/**
 * A device's report on a kernel: it does not compile, is refused, does not finish, or lost the device. The message names the
 * kernel, file and line.
 *
 * @example
 * ```ts
 * import { KernelError } from "touchstone-llama/webgpu";
 *
 * const isKernels = (error: unknown): boolean => error instanceof KernelError;
 * ```
 */
export class KernelError extends Error {
  override readonly name = "KernelError";
}
