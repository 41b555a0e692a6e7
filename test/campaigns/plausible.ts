// `npm run campaign:plausible [-- LENGTH [SEED [TARGET [OP…]]]]` computes sums of drawn numbers by correct kernels that differ, and that differ from place to place: how near their
// errors come to what the second verdict calls improbable. Exit status 1 where one is called so.
import { targets } from "../../reference/targets.ts";
import { longSums, nearOf } from "../plausible.ts";
import { whole } from "../../cli/numbers.ts";
import { opNames, script } from "../script.ts";
import { Argument } from "commander";

const [length, seed, name, only] = script(
  "campaign:plausible",
  "How near the errors of correct kernels of long sums come to what is improbable.",
)
  .argument("[length]", "of the sums", whole(1), 4096)
  .argument("[seed]", "of the numbers", whole(0), 1)
  .addArgument(new Argument("[target]", "whose accuracies hold").choices(Object.keys(targets)).default("ieee"))
  .argument("[op...]", "all that have long sums without this", opNames, [])
  .parse().processedArgs as [number, number, keyof typeof targets, string[]];
const target = targets[name];
let accused = 0;
process.stdout.write(
  "| output | kernels | elements | error ÷ plausible | ÷ bound | the kernel nearest | improbable |\n| --- | --- | --- | --- | --- | --- | --- |\n",
);
for (const op of Object.keys(longSums).filter((one) => only.length === 0 || only.includes(one))) {
  const all = nearOf(op, length, seed, { target, dtype: "float32" });
  for (const output of new Set(all.map((one) => one.output))) {
    const own = all.filter((one) => one.output === output).toSorted((a, b) => b.plausible - a.plausible);
    const tests = own.reduce((sum, one) => sum + one.tests, 0);
    const beyond = own.filter((one) => one.beyond > 0);
    accused += beyond.length;
    const [nearest] = own;
    const most = Math.max(...own.map((one) => one.bound));
    process.stdout.write(
      `| ${[`${op} ${output}`, own.length, tests, nearest.plausible.toPrecision(2), most.toPrecision(2), nearest.kernel, beyond.length].join(" | ")} |\n`,
    );
    for (const one of beyond.slice(0, 5))
      process.stdout.write(`IMPROBABLE ${op} ${output}: ${one.kernel}: ${one.beyond} elements\n`);
  }
}
process.stdout.write(`${accused} called improbable for ${target.name}, sums of ${length}\n`);
process.exitCode = accused === 0 ? 0 : 1;
