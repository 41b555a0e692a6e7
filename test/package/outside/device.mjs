// The same program with a device: kernels of the package and one of its own on Dawn, and what needs files.
import assert from "node:assert/strict";
import { judge, ops, replay } from "touchstone-llama";
import { openDevice, readFixture, verifyFixture, writeFixture } from "touchstone-llama/node";
import { candidateOf, kernels } from "touchstone-llama/webgpu";
import mine, { kernelOf, text } from "./mine.mjs";

const problem = replay("swiglu.forward R=2 F=3 profile=unit seed=1");
writeFixture("swiglu.safetensors", problem);
assert.equal(readFixture("swiglu.safetensors").op, "swiglu.forward");
const outputs = ops["swiglu.forward"].reference(problem.inputs, {});
assert(verifyFixture("swiglu.safetensors", outputs).passed);

const device = await openDevice();
for (const dtype of ["float32", "bfloat16"]) {
  const { passed, findings } = await judge("swiglu.forward", candidateOf(device, kernels["swiglu.forward"]), {
    runs: 10,
    dtype,
  });
  assert(passed, findings.join("\n"));
}
assert((await judge("add.forward", candidateOf(device.device, mine), { runs: 10 })).passed);
const slip = await judge("add.forward", candidateOf(device, kernelOf(text.replace("+ b[i]", "- b[i]"))), { runs: 5 });
assert(!slip.passed);
device.close();
process.exit();
