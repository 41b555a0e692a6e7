// What the judge says of this project's kernel on one case, launched in an unusual way.
import type { Sizes } from "../../golden/cases/case.ts";
import { cases } from "../../golden/cases/index.ts";
import type { MadeUp } from "../../golden/cases/profile.ts";
import { judge } from "../../golden/judge/verdict.ts";
import type { LaunchOptions } from "../../kernels-gpu/launch.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { kernelCandidate } from "../device.ts";

const SEED = 20_230_227; // the paper's date

/** The findings; none when the kernel passes. */
export async function findings(
  op: string,
  sizes: Sizes,
  options: LaunchOptions & { readonly profile?: MadeUp; readonly target?: Target } = {},
): Promise<readonly string[]> {
  const { profile = "unit", target = targets.wgsl, ...launch } = options;
  const candidate = await kernelCandidate(op, launch);
  const problem = cases.get(op)!.build(sizes, profile, SEED);
  return (await judge(operations.get(op)!, candidate, problem, target, profile)).findings;
}
