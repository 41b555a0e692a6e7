import { expect, test } from "vitest";
import { mutantsOf } from "../../zoo/mutants/index.ts";
import { mutate } from "../../zoo/mutants/mutant.ts";
import { offences } from "../../kernels-gpu/device/guards.ts";
import { launch } from "../../kernels-gpu/device/launch.ts";
import { backward, forward } from "../../kernels-gpu/rmsnorm.ts";
import { targets } from "../../reference/targets.ts";
import { tensor } from "../../reference/tensor.ts";
import { testDevice, wgsl } from "../device.ts";
import { testKernel } from "../rows.ts";
import { findings } from "./findings.ts";

testKernel("rmsnorm.forward");
testKernel("rmsnorm.backward");

test.each(["rmsnorm.forward", "rmsnorm.backward"])("%s: more than 65,535 rows", async (op) => {
  expect(await findings(op, { R: 65_537, C: 2, eps: "1e-5" }, { overrides: { WG: 2 } })).toEqual([]);
});

// llama.cpp 19965: one axis of workgroups, which ends at 65,535.
test("a kernel that ignores the second axis of workgroups is rejected", async () => {
  const text = wgsl("rmsnorm.forward.wgsl").replace("group.x + group.y * groups.x;", "group.x;");
  const options = { overrides: { WG: 2 }, sources: new Map([["rmsnorm.forward.wgsl", text]]) };
  expect((await findings("rmsnorm.forward", { R: 65_537, C: 2, eps: "1e-5" }, options)).join()).toContain(
    "never written",
  );
});

test("more than 65,535 tiles of columns", async () => {
  const overrides = { COLUMNS: 1, LANES: 2 };
  expect(await findings("rmsnorm.backward", { R: 2, C: 65_537, eps: "1e-5" }, { overrides })).toEqual([]);
});

test.each([
  { WG: 1, COLUMNS: 1, LANES: 1 },
  { WG: 5, COLUMNS: 3, LANES: 7 },
  { WG: 256, COLUMNS: 64, LANES: 4 },
])("workgroups of other sizes: %o", async ({ WG, COLUMNS, LANES }) => {
  const sizes = { R: 19, C: 71, eps: "1e-6" };
  expect(await findings("rmsnorm.forward", sizes, { overrides: { WG } })).toEqual([]);
  expect(await findings("rmsnorm.backward", sizes, { overrides: { WG, COLUMNS, LANES } })).toEqual([]);
});

test("rows of nothing: nothing is written outside, dw is empty", async () => {
  const [x, w] = [tensor(new Float32Array(), [3, 0]), tensor(new Float32Array(), [0])];
  const { hygiene } = await launch(await testDevice(), forward, { x, w }, { eps: 1 });
  expect(offences(hygiene)).toEqual([]);
});

test("a normalised row in float16 is accepted when it is declared", async () => {
  const mutant = mutantsOf("rmsnorm.forward").find(({ what }) => what.includes("float16 before the gain"))!;
  const sources = new Map([[mutant.file, mutate(mutant, wgsl(mutant.file))]]);
  const sizes = { R: 7, C: 33, eps: "1e-5" };
  const declared = { ...targets.wgsl, stores: { n: "float16" } } as const;
  expect(await findings("rmsnorm.forward", sizes, { sources })).not.toEqual([]);
  expect(await findings("rmsnorm.forward", sizes, { sources, target: declared })).toEqual([]);
});

// Liger-Kernel 370, 376: dx was written over dy, which others still read.
test("a backward that writes dx over dy is rejected", async () => {
  const text = wgsl("rmsnorm.backward.wgsl")
    .replace("var<storage, read>       dy:", "var<storage, read_write> dy:")
    .replace("dx[row + c] = scale *", "dy[row + c] = scale *");
  const sources = new Map([["rmsnorm.backward.wgsl", text]]);
  const found = await findings("rmsnorm.backward", { R: 5, C: 9, eps: "1e-5" }, { sources });
  expect(found.join()).toContain("dy: 45 elements of the input changed");
});

test("the same bits in every run", async () => {
  const device = await testDevice();
  const x = tensor(
    Float32Array.from({ length: 300 * 70 }, (_, i) => Math.fround(Math.sqrt(i) % 1) - 0.5),
    [300, 70],
  );
  const w = tensor(new Float32Array(70).fill(1), [70]);
  const { rstd } = await forward(device, { x, w, eps: 1e-5 });
  const [first, second] = [
    await backward(device, { dy: x, x, w, rstd }),
    await backward(device, { dy: x, x, w, rstd }),
  ];
  expect(second.dw.data).toEqual(first.dw.data);
  expect(second.dx.data).toEqual(first.dx.data);
});
