import { expect, test } from "vitest";
import { wgsl } from "../../kernels-gpu/texts.ts";
import { kernels } from "../../kernels-gpu/index.ts";
import type { OpName } from "../../reference/ops/index.ts";
import { Bench } from "./bench.ts";
import { mutantsOf } from "./sites.ts";
import { explanationOf } from "./results.ts";
import { explainedOf } from "./store.ts";

/** Kernels of few lines: every operator is applied at every place, and that comes to fewer than 50 mutants. */
const short: ReadonlySet<OpName> = new Set(["add.forward", "cast.forward", "embedding.forward"]);

test.each(Object.keys(kernels) as OpName[])("%s has at least 50 mutants, each another text", (op) => {
  const { source } = wgsl(op);
  const mutants = mutantsOf(source);
  expect(mutants.length).toBeGreaterThanOrEqual(short.has(op) ? 25 : 50);
  expect(new Set([source, ...mutants.map(({ text }) => text)]).size).toBe(mutants.length + 1);
});

test.each(Object.keys(kernels) as OpName[])("%s: each explanation is that of a mutant", (op) => {
  const { source } = wgsl(op);
  const explained = explainedOf(op);
  const found = new Set(mutantsOf(source).map((mutant) => explanationOf(mutant, source, explained)));
  expect(explained.filter((one) => !found.has(one))).toEqual([]);
});

test("operators change what they say", () => {
  const { source } = wgsl("cross-entropy.backward");
  const found = mutantsOf(source).map(({ operator, what }) => `${operator}: ${what}`);
  for (const line of [
    "gpu-shared-removal: workgroup → private",
    "gpu-sync-removal: workgroupBarrier() → nothing",
    "gpu-atomic-removal: atomicAdd(&total, counted) → atomicStore(&total, atomicLoad(&total) + counted)",
    "gpu-configuration-increment: WG → WG + 1",
    "gpu-index-decrement: lane → (lane - 1)",
    "step: WG → WG + 1",
    "bound: dims.R * dims.V → dims.R * dims.V + 1",
    "index letter: V → R",
    "term dropped: logits[i] - lse[r] → logits[i]",
  ]) {
    expect(found).toContain(line);
  }
});

test("mutants of the sum of two tensors meet their ends", async () => {
  const bench = new Bench("add.forward");
  const { source } = wgsl("add.forward");
  const fate = (from: string, to: string): Promise<string> => {
    expect(source.split(from)).toHaveLength(2);
    return bench.fateOf({ text: source.replace(from, to), operator: "by hand" });
  };
  expect(await fate("a[i] + b[i]", "a[i] - b[i]")).toBe("k");
  expect(await fate("a[i] + b[i]", "a[i] + b[")).toBe("c");
  expect(await fate("i >= dims.N", "i > dims.N")).toBe("k");
  expect(await fate("y[i] = a[i] + b[i]", "y[i / 2] = a[i] + b[i]")).toBe("r");
  expect(await fate("groups.x * WG", "WG")).toBe("r");
  expect(await fate("y[i] =", "loop {} y[i] =")).toMatch(/[ct]/);
  expect(await fate("a[i] + b[i]", "b[i] + a[i]")).toBe("v");
});
