// `npm run campaign:tightness [-- CASES [TARGET [OP…]]]` prints bound ÷ the worst evaluation that was built, before sums were trees and exp(0) was 1,
// and now: the table of docs/bounds.md.
import { judgeRows } from "../../judge/ops/index.ts";
import { targets } from "../../reference/targets.ts";
import { evaluationsOf } from "../../zoo/index.ts";
import { tightnessOf } from "../tightness.ts";

const [cases = "60", name = "ieee", ...only] = process.argv.slice(2);
process.stdout.write("| op | before | now |\n| --- | --- | --- |\n");
for (const op of judgeRows.keys()) {
  if (evaluationsOf(op).length === 0 || (only.length > 0 && !only.includes(op))) continue;
  const { before, after } = tightnessOf(op, targets[name as keyof typeof targets], Number(cases), 1);
  const figures = [before, after].map((x) => (x < Infinity ? x.toPrecision(2) : "no error"));
  process.stdout.write(`| ${op} | ${figures.join(" | ")} |\n`);
}
