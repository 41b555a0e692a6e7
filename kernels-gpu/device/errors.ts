/** No device of the wanted kind: one line that says what was wanted and what is missing. */
export class NoDeviceError extends Error {
  override readonly name = "NoDeviceError";
}

/** What a device reports of a kernel: it does not compile, is refused, does not finish, or lost the device. */
export class KernelError extends Error {
  override readonly name = "KernelError";
}
