/** No device of the kind that was asked for: one line that says what is missing. */
export class NoDeviceError extends Error {
  override readonly name = "NoDeviceError";
}

/** What a device reports of a kernel: it does not compile, is refused, does not finish, or lost the device. */
export class KernelError extends Error {
  override readonly name = "KernelError";
}
