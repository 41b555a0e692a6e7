// The same judge in a browser, with a WGSL kernel of the package and one of its own.
import { judge } from "touchstone-llama";
import { matchers } from "touchstone-llama/vitest";
import { candidateOf, defineKernel, kernels, spread } from "touchstone-llama/webgpu";
import { expect, test } from "vitest";
import text from "./mine.wgsl?raw";

expect.extend(matchers);

const adapter = await navigator.gpu.requestAdapter();
const device = await adapter.requestDevice();

const mine = (source) =>
  defineKernel({
    id: "add.forward",
    source,
    inputs: { a: "N", b: "N" },
    outputs: { y: "N" },
    overrides: { WG: 32 },
    workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
  });

test("kernels pass on the browser's device", { timeout: 120_000 }, async () => {
  await expect(candidateOf(device, kernels["swiglu.forward"])).toPassTouchstone("swiglu.forward", { runs: 10 });
  await expect(candidateOf(device, mine(text))).toPassTouchstone("add.forward", { runs: 10 });
});

test("a faulty one does not", { timeout: 120_000 }, async () => {
  const { passed, findings } = await judge("add.forward", candidateOf(device, mine(text.replace("+ b[i]", "- b[i]"))), {
    runs: 5,
  });
  expect(passed).toBe(false);
  expect(findings[0]).toMatch(/× the bound/);
});
