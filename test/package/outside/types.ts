// What the compiler of a stranger sees of all four entries.
import { cases, compare, judge, oracle, ops, type OutputsOf, targets, tensor } from "touchstone-llama";
import { blame, openCheckpoint, openDevice, processCandidate, readTokenizer } from "touchstone-llama/node";
import { matchers } from "touchstone-llama/vitest";
import { candidateOf, defineKernel, kernels } from "touchstone-llama/webgpu";

const x = tensor(new Float32Array([1, 2]), [1, 2]);
const w = tensor(new Float32Array([1, 1]), [2]);
const problem = { op: "rmsnorm.forward", inputs: { x, w }, scalars: { eps: 1e-5 } } as const;
const { y, rstd } = oracle(problem, { target: targets.cuda, dtype: "bfloat16", stores: { x: "tf32" } });
const mine: OutputsOf<"rmsnorm.forward"> = ops["rmsnorm.forward"].reference({ x, w }, { eps: 1e-5 });
const { passed, findings } = compare(problem, mine);
const result = await judge("swiglu.forward", ({ gate }) => ({ y: gate }), { stores: { silu: "bfloat16" } });
await judge("attention.forward", candidateOf(await openDevice(), kernels["attention.forward"]), { runs: 1 });
await judge("swiglu.forward", processCandidate("python3 mine.py"), { runs: 1 });
const line: string | undefined = result.replays[0];
export const used: unknown[] = [
  y.truth.data,
  rstd.bound.data,
  passed,
  findings,
  line,
  cases("rmsnorm.forward"),
  matchers,
];
export { blame, defineKernel, openCheckpoint, readTokenizer };

// @ts-expect-error a misspelt input does not compile
oracle({ op: "rmsnorm.forward", inputs: { x, v: w }, scalars: { eps: 1 } });
// @ts-expect-error nor does a word that the op does not offer
oracle({ op: "rope.forward", inputs: { x, cos: x, sin: x }, scalars: { layout: "sideways" } });
