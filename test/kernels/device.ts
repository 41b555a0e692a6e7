// The device of a test file: opened once a file, TOUCHSTONE_ADAPTER=gpu|software chooses it.
import { afterAll } from "vitest";
import { type AdapterChoice, openDevice } from "../../kernels-gpu/device/dawn.ts";

export const device = await openDevice({ adapter: (process.env["TOUCHSTONE_ADAPTER"] ?? "auto") as AdapterChoice });
afterAll(() => device.close());
