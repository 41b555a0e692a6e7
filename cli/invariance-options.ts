// What `touchstone invariance` is given.
import type { CheckOptions } from "./check-options.ts";

export type InvarianceOptions = Omit<CheckOptions, "runs" | "replay">;
