// A program outside the tree that has the package without its optional parts: oracle, compare, cases, judge.
import assert from "node:assert/strict";
import fc from "fast-check";
import { cases, compare, fuse, judge, oracle, ops, reference, replay, targets, tensor } from "touchstone-llama";

const gate = tensor(new Float32Array([1, -2]), [1, 2]);
const problem = { op: "swiglu.forward", inputs: { gate, up: gate }, scalars: {} };
const kernel = ops["swiglu.forward"].reference;
const { y } = kernel(problem.inputs, {});
const expected = oracle(problem, { target: targets.cuda });
assert(y.data.every((got, i) => Math.abs(got - expected.y.truth.data[i]) <= expected.y.bound.data[i]));
assert(compare(problem, { y }).passed);
assert.deepEqual(reference.swiglu.forward(gate, gate).y.data, y.data);

fc.assert(
  fc.property(cases("swiglu.forward"), (drawn) => compare(drawn, kernel(drawn.inputs, drawn.scalars)).passed),
  { numRuns: 20 },
);

assert((await judge("swiglu.forward", kernel, { runs: 10 })).passed);
const wrong = await judge("swiglu.forward", ({ gate: z }) => ({ y: z }), { runs: 10 });
assert(!wrong.passed);
const again = replay(wrong.replays[0], "swiglu.forward");
assert(!compare(again, { y: again.inputs.gate }).passed);
assert.equal(fuse("rmsnorm.forward", "linear.forward").inputs["linear.w"], "O,C");

await assert.rejects(import("touchstone-llama/judge/verdict.js"), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
