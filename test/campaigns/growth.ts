// `npm run campaign:growth -- CHECKOUT [CASES [TARGET [OP…]]]` prints how much wider each op's bounds are than those of another checkout, an earlier one, on the
// drawn cases: median and largest ratio over all elements with a bound in both, and how many have a bound in one alone.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as fc from "fast-check";
import { buildCase } from "../../judge/campaign.ts";
import { arbitraryCase, exampleCases } from "../../judge/case.ts";
import { judgeRows } from "../../judge/ops/index.ts";
import { allowancesOf, roundProblem } from "../../judge/verdict.ts";
import { operations } from "../../reference/ops/index.ts";
import { targets } from "../../reference/targets.ts";

const [checkout, cases = "100", name = "wgsl", ...only] = process.argv.slice(2);
if (checkout === undefined) throw new RangeError("CHECKOUT is missing, expected a folder with reference/ in it");
const at = (path: string): string => pathToFileURL(resolve(checkout, path)).href;
const earlier = (await import(at("reference/ops/index.ts"))) as { operations: typeof operations };
const their = (await import(at("reference/targets.ts"))) as { targets: typeof targets };
const key = name as keyof typeof targets;
process.stdout.write(
  "| output | elements | median | largest | bound here alone | there alone |\n| --- | --- | --- | --- | --- | --- |\n",
);
for (const [op, row] of judgeRows) {
  const then = earlier.operations.get(op);
  if (then === undefined || (only.length > 0 && !only.includes(op))) continue;
  const operation = operations.get(op)!;
  const ratios = new Map<string, number[]>();
  const alone = new Map<string, [here: number, there: number]>();
  const drawn = fc.sample(arbitraryCase(row, false), { numRuns: Number(cases), seed: 1 });
  for (const c of [...exampleCases(row, 1), ...drawn]) {
    const problem = roundProblem(operation, buildCase(row, c), "float32");
    const now = allowancesOf(operation, problem, targets[key]);
    const before = allowancesOf(then, problem, their.targets[key]);
    for (const output of Object.keys(operation.outputs)) {
      const [list, [here, there]] = [ratios.get(output) ?? [], alone.get(output) ?? [0, 0]];
      const [a, b] = [now[output].data, before[output].data];
      let [onlyHere, onlyThere] = [here, there];
      for (let i = 0; i < a.length; i++) {
        if (a[i] < Infinity && b[i] < Infinity) {
          if (b[i] > 0) list.push(a[i] / b[i]);
        } else if (a[i] < Infinity) onlyHere++;
        else if (b[i] < Infinity) onlyThere++;
      }
      ratios.set(output, list);
      alone.set(output, [onlyHere, onlyThere]);
    }
  }
  for (const [output, list] of ratios) {
    const sorted = Float64Array.from(list).toSorted();
    const figures = [sorted[sorted.length >> 1], sorted.at(-1)].map((x) => x?.toPrecision(3) ?? "");
    process.stdout.write(`| ${op} ${output} | ${[list.length, ...figures, ...alone.get(output)!].join(" | ")} |\n`);
  }
}
