// What the judge says of this project's kernel on one case, launched in an unusual way.
import type { Sizes } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import type { MadeUp } from "../../judge/profile.ts";
import { judgeProblem } from "../../judge/verdict.ts";
import type { LaunchOptions } from "../../kernels-gpu/device/launch.ts";
import { operations } from "../../reference/ops/index.ts";
import { type Target, targets } from "../../reference/targets.ts";
import { kernelCandidate } from "../device.ts";
import { float32 } from "../terms.ts";

const SEED = 20_230_227; // the paper's date

/** The findings; none when the kernel passes. */
export async function findings(
  op: string,
  sizes: Sizes,
  options: LaunchOptions & { readonly profile?: MadeUp; readonly target?: Target } = {},
): Promise<readonly string[]> {
  const { profile = "unit", target = targets.wgsl, ...launch } = options;
  const candidate = await kernelCandidate(op, launch);
  const problem = judgeRows.get(op)!.build(sizes, profile, SEED);
  return (await judgeProblem(operations.get(op)!, candidate, { ...problem, profile }, float32(target))).findings;
}
