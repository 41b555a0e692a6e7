// Judges a WGSL kernel on the device of this page. Nothing here needs Node.
import { judge } from "touchstone-llama";
import { candidateOf, defineKernel, spread } from "touchstone-llama/webgpu";

const swiglu = defineKernel({
  id: "swiglu.forward",
  source: `
    override WG: u32 = 64;
    struct Dims { R: u32, F: u32 }
    @group(0) @binding(0) var<uniform>             dims: Dims;
    @group(0) @binding(1) var<storage, read>       gate: array<f32>;  // [R, F]
    @group(0) @binding(2) var<storage, read>       up:   array<f32>;  // [R, F]
    @group(0) @binding(3) var<storage, read_write> y:    array<f32>;  // [R, F]

    @compute @workgroup_size(WG)
    fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
      let i = id.x + id.y * groups.x * WG;
      if (i >= dims.R * dims.F) { return; }
      let e = exp(-abs(gate[i]));  // at most 1, so it cannot overflow
      y[i] = gate[i] * select(1.0, e, gate[i] < 0.0) / (1.0 + e) * up[i];
    }`,
  inputs: { gate: "R,F", up: "R,F" },
  outputs: { y: "R,F" },
  overrides: { WG: 64 },
  workgroups: ({ R, F, WG }) => spread(Math.ceil((R * F) / WG)),
});

const verdict = document.querySelector("#verdict");
const details = document.querySelector("#details");
const say = (line) => details.append(Object.assign(document.createElement("li"), { textContent: line }));

try {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("this browser has no WebGPU adapter");
  const device = await adapter.requestDevice();
  const { passed, cases, findings, precision, relations } = await judge(swiglu.id, candidateOf(device, swiglu), {
    runs: 50,
    onCase: (n) => (verdict.textContent = `judging … ${n} cases`),
  });
  for (const line of findings) say(line);
  for (const { output, class: name } of precision) say(`${output} is computed in ${name}`);
  say(`${relations.filter(({ state }) => state === "holds").length} of ${relations.length} relations hold`);
  verdict.textContent = passed ? `${swiglu.id} passed ${cases} cases` : `${swiglu.id} failed`;
} catch (error) {
  verdict.textContent = `not judged: ${error.message}`;
}
