// The same kernel judged from a program, on this machine's device.
import { judge } from "touchstone-llama";
import { openDevice } from "touchstone-llama/node";
import { candidateOf } from "touchstone-llama/webgpu";
import rmsnorm from "./rmsnorm.ts";

const device = await openDevice();
const { passed, cases, findings, precision } = await judge("rmsnorm.forward", candidateOf(device, rmsnorm));
console.log(passed ? `rmsnorm.forward passed ${cases} cases on ${device.name}` : findings.join("\n"));
for (const { output, class: name } of precision) console.log(`${output} is computed in ${name}`);
device.close();
process.exit(passed ? 0 : 1); // after using a device, Node never exits on its own
