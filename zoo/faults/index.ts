// Every fault of the zoo that is written in TypeScript, op by op.
import type { Fault } from "./fault.ts";
import { rmsnormBackward, rmsnormForward } from "./rmsnorm.ts";

export const faults: readonly Fault[] = [...rmsnormForward, ...rmsnormBackward];
