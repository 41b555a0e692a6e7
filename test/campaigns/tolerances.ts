// `npm run campaign:tolerances` compares the tolerances of well-known test suites with the bounds here: which faulty kernels each
// lets through, and which correct evaluations it accuses. Every rule sees the same evaluations and the same kernels.
import Table from "cli-table3";
import fc from "fast-check";
import { arbitraryCase, exampleCases } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { judgeOutputs, roundScalars, truth } from "../../judge/verdict.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { Float32Arithmetic, orders } from "../../zoo/arithmetic.ts";
import { mutantsOf } from "../../zoo/mutants/index.ts";
import { mutate } from "../../zoo/mutants/mutant.ts";
import type { Outputs } from "../../reference/operation.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import type { Tensor } from "../../reference/tensor.ts";
import { kernelCandidate, wgsl } from "../device.ts";
import { float32 } from "../terms.ts";

const SEED = 20_230_227;
const target = targets.wgsl;

/** Whether an output passes. */
type Rule = (op: string, got: Tensor, want: Tensor) => boolean;
const elementwise =
  (absolute: number, relative: number): Rule =>
  (_, got, want) =>
    want.data.every((b, i) => Math.abs(got.data[i] - b) <= absolute + relative * Math.abs(b) || got.data[i] === b);

const rules: Record<string, Rule> = {
  "llama.cpp test-backend-ops": (op, got, want) => {
    let [error, size] = [0, 0];
    for (const [i, b] of want.data.entries()) {
      error += (got.data[i] - b) ** 2;
      size += b ** 2;
    }
    return error <= (/^(linear|attention)/.test(op) ? 5e-4 : 1e-7) * size;
  },
  "PyTorch assert_close": elementwise(1e-5, 1.3e-6),
  "Liger-Kernel RMSNorm": elementwise(1e-4, 1e-4),
  "xFormers forward": elementwise(3e-4, 2e-5),
  "ONNX backend tests": elementwise(1e-7, 1e-3),
  KernelBench: elementwise(1e-4, 1e-4),
};

const passes = (rule: Rule, op: string, got: Outputs, want: Outputs): boolean =>
  Object.keys(want).every((name) => got[name] !== undefined && rule(op, got[name], want[name]));

const counts = new Map([...Object.keys(rules), "Touchstone"].map((name) => [name, { accused: 0, passed: 0 }]));
let [correct, faulty] = [0, 0];
for (const [op, spec] of judgeRows) {
  const operation = operations.get(op)!;
  const drawn = [...exampleCases(spec, SEED), ...fc.sample(arbitraryCase(spec, false), { numRuns: 40, seed: SEED })];
  const problems = drawn.map((c) => {
    const { inputs, scalars } = spec.build(c.sizes, c.profile as "unit", c.seed);
    const problem = { inputs, scalars: roundScalars(operation, scalars) };
    return { c, problem, want: truth(operation, problem) };
  });
  for (const [n, { c, problem, want }] of problems.entries()) {
    for (const evaluation of evaluationsOf(op)) {
      const order = orders[n % orders.length];
      const habits = { rounding: "nearest", order, fused: false, flushes: false, functions: "exact", seed: n } as const;
      const got = evaluation.evaluate(new Float32Arithmetic(target, habits), problem.inputs, problem.scalars);
      correct++;
      for (const [name, rule] of Object.entries(rules)) if (!passes(rule, op, got, want)) counts.get(name)!.accused++;
      if (judgeOutputs(operation, got, { ...problem, profile: c.profile }, float32(target)).findings.length > 0)
        counts.get("Touchstone")!.accused++;
    }
  }
  for (const mutant of mutantsOf(op)) {
    const candidate = await kernelCandidate(op, {
      sources: new Map([[mutant.file, mutate(mutant, wgsl(mutant.file))]]),
    });
    const rejected = new Set<string>();
    for (const { c, problem, want } of problems) {
      const { outputs, complaints } = await candidate.run(problem.inputs, problem.scalars);
      for (const [name, rule] of Object.entries(rules)) if (!passes(rule, op, outputs, want)) rejected.add(name);
      const { findings } = judgeOutputs(
        operation,
        outputs,
        { ...problem, profile: c.profile },
        float32(target),
        complaints,
      );
      if (findings.length > 0) rejected.add("Touchstone");
      if (rejected.size === counts.size) break;
    }
    faulty++;
    for (const [name, count] of counts) if (!rejected.has(name)) count.passed++;
  }
  process.stderr.write(`${op}\n`);
}
const table = new Table({
  head: ["rule", `of ${correct} correct evaluations accused`, `of ${faulty} faulty kernels let through`],
  colAligns: ["left", "right", "right"],
  style: { head: [], border: [], compact: true },
});
for (const [name, { accused, passed }] of counts) {
  table.push([
    name,
    `${accused} (${((100 * accused) / correct).toFixed(1)} %)`,
    `${passed} (${((100 * passed) / faulty).toFixed(1)} %)`,
  ]);
}
process.stdout.write(`${table.toString()}\n`);
process.exit();
