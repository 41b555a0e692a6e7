// `npm run bench` measures the parts that were written for speed, and the memory of the device's attention. A name runs one
// benchmark alone: `npm run bench -- memory`. Each prints its own lines.
import { Argument, Command } from "commander";
import { benchGenerate } from "./generate.ts";
import { benchMemory } from "./memory.ts";
import { benchProduct } from "./product.ts";
import { benchTokenizer } from "./tokenizer.ts";

const benchmarks = { product: benchProduct, tokenizer: benchTokenizer, generate: benchGenerate, memory: benchMemory };
const names = Object.keys(benchmarks) as (keyof typeof benchmarks)[];

const [wanted] = new Command("npm run bench --")
  .description("Speed and memory, as ratios from one run.")
  .addArgument(new Argument("[name...]", "all of them without this").choices(names))
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse().processedArgs as [readonly string[]];
for (const name of names) if (wanted.length === 0 || wanted.includes(name)) await benchmarks[name]();
// After using a device, Node never exits on its own.
process.exit();
