// `npm run campaign:second-derivation [-- OP…]` prints bound ÷ the worst evaluation of the second derivation (test/second-derivation): a table of docs/bounds.md.
import { TABLE_OPS, TABLE_TARGETS, tableLine } from "../second-derivation/table.ts";
import { script } from "../script.ts";
import { Argument } from "commander";

const [only] = script("campaign:second-derivation", "Bound ÷ the worst evaluation of the second derivation.")
  .addArgument(new Argument("[op...]", "all of them without this").choices(TABLE_OPS).default([]))
  .parse().processedArgs as [string[]];
process.stdout.write(`| op | ${TABLE_TARGETS.join(" | ")} | long |\n|${" --- |".repeat(TABLE_TARGETS.length + 2)}\n`);
for (const op of TABLE_OPS)
  if (only.length === 0 || only.includes(op)) process.stdout.write(`${tableLine(op, true)}\n`);
