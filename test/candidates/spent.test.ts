// A kernel that hangs on the device of a module's process: the next case has a process and a device of its own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { defaultMemory, startModule } from "../../judge/candidates/module.ts";
import { operations } from "../../reference/ops/index.ts";
import { tensor } from "../../reference/tensor.ts";
import { wgsl } from "../device.ts";

const scratch = mkdtempSync(join(tmpdir(), "touchstone-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

test("a case that hangs accuses no other", async () => {
  const path = join(scratch, "hangs.mts");
  const loop = "if (dims.N > 20u) { loop { y[i] += 1.0; if (y[i] < 0.0) { break; } } }\n  y[i] = a[i]";
  const source = wgsl("add.forward.wgsl").replace("y[i] = a[i]", loop);
  writeFileSync(
    path,
    `import { defineKernel, spread } from ${JSON.stringify(new URL("../../webgpu.ts", import.meta.url).href)};
export default defineKernel({
  id: "add.forward", source: ${JSON.stringify(source)}, inputs: { a: "N", b: "N" }, outputs: { y: "N" },
  overrides: { WG: 64 }, workgroups: ({ N, WG }) => spread(Math.ceil(N / WG)),
});`,
  );
  const host = new URL("../../cli/check-host.ts", import.meta.url);
  const terms = { op: "add.forward", adapter: "software", dtype: "float32", timeout: 3000 };
  const operation = operations.get("add.forward")!;
  const module = await startModule({ path, operation, timeout: 60_000, memory: defaultMemory(), host, terms });
  const run = (n: number) => {
    const x = tensor(new Float32Array(n).fill(1), [n]);
    return module.run({ a: x, b: x }, {});
  };
  await expect(run(200)).rejects.toThrow("no result within 3000 ms");
  expect((await run(2)).outputs.y!.data).toEqual(new Float32Array([2, 2]));
  await module.close!();
});
