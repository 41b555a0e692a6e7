import { type FunctionName, type Region, type Target, targets } from "../../../reference/targets.ts";

/** Targets of which one figure is so large that it decides: of a bound's forms now one, now another is the widest, and terms of second order count. */
export const COARSE: readonly Target[] = [
  { ...targets.ieee, name: "coarse arithmetic", u: 2 ** -11 },
  coarse("divide"),
  coarse("sqrt", "inverseSqrt"),
  coarse("exp", "exp2"),
  coarse("log", "log2"),
  coarse("exp2", "log2", "pow"),
  coarse("sin", "cos"),
];

/** IEEE 754's arithmetic, with functions of 11 digits. */
function coarse(...names: readonly FunctionName[]): Target {
  const lowered = names.map((name): [string, readonly Region[]] => {
    const regions = targets.cuda.functions[name];
    return [name, regions.map((region) => Object.assign({}, region, { relative: 2 ** -11 }))];
  });
  const functions = { ...targets.ieee.functions, ...Object.fromEntries(lowered) };
  return { ...targets.ieee, name: `coarse ${names.join(", ")}`, functions };
}
