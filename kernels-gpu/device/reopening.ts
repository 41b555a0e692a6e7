// A device that is opened again once it is lost, or a kernel hangs on it: the kernels that run next are not at fault for that.
import type { Device } from "./device.ts";

export interface Reopening {
  /** The name of the device that was opened first. */
  readonly name: string;
  /** The device, or a new one if it has failed. Throws what `open` throws. */
  readonly current: () => Promise<Device>;
}

/** Opens a device. Throws what `open` throws. */
export async function reopening(open: () => Promise<Device>): Promise<Reopening> {
  let device = await open();
  const broken = new WeakSet<Device>();
  const attend = (opened: Device): void => void opened.failed.then(() => broken.add(opened));
  attend(device);
  const { name } = device;
  return {
    name,
    current: async () => {
      if (!broken.has(device)) return device;
      const old = device;
      device = await open();
      attend(device);
      // One that still computes could keep whoever closes it waiting.
      const close = (): void => old.close();
      old.device.queue.onSubmittedWorkDone().then(close, close);
      return device;
    },
  };
}
