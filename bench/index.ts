// `npm run bench` measures the parts that were written for speed, and the memory of the device's attention. A name runs one
// benchmark alone: `npm run bench -- memory`. Each prints its own lines.
import { benchGenerate } from "./generate.ts";
import { benchMemory } from "./memory.ts";
import { benchProduct } from "./product.ts";
import { benchTokenizer } from "./tokenizer.ts";

const benchmarks = { product: benchProduct, tokenizer: benchTokenizer, generate: benchGenerate, memory: benchMemory };
const names = Object.keys(benchmarks) as (keyof typeof benchmarks)[];

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(benchmarks, name));
if (unknown === undefined) {
  for (const name of names) if (wanted.length === 0 || wanted.includes(name)) await benchmarks[name]();
} else {
  process.stderr.write(`bench: no benchmark is named "${unknown}", expected one of ${names.join(", ")}\n`);
  process.exitCode = 2;
}
// After using a device, Node never exits on its own.
process.exit();
