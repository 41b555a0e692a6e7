// One problem by hand, then everything that the judge tries.
import { compare, judge, oracle, targets, tensor } from "touchstone-llama";
import swiglu from "./swiglu.ts";

const gate = tensor(new Float32Array([1, -2, 0.5]), [1, 3]);
const up = tensor(new Float32Array([3, 1, -1]), [1, 3]);
const problem = { op: "swiglu.forward", inputs: { gate, up }, scalars: {} } as const;

const { y } = oracle(problem, { target: targets.ieee });
console.log("exact:  ", [...y.truth.data]);
console.log("allowed:", [...y.bound.data]);

const { worst } = compare(problem, await swiglu(problem.inputs, problem.scalars), { target: targets.ieee });
console.log(`the largest error is ${worst.toPrecision(2)} of its bound`);

const { passed, cases, findings } = await judge("swiglu.forward", swiglu, { target: targets.ieee });
console.log(passed ? `swiglu.forward passed ${cases} cases` : findings.join("\n"));
process.exitCode = passed ? 0 : 1;
