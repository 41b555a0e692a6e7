import { expect, test } from "vitest";
import { testKernel } from "../rows.ts";
import { findings } from "./findings.ts";

testKernel("embedding.forward");
testKernel("embedding.backward");

test("more than 65,535 workgroups", async () => {
  expect(await findings("embedding.forward", { R: 65_537, V: 9, C: 1 }, { overrides: { WG: 1 } })).toEqual([]);
  expect(await findings("embedding.backward", { R: 9, V: 65_537, C: 1 }, { overrides: { WG: 1 } })).toEqual([]);
});

test("workgroups of another size", async () => {
  const options = { overrides: { WG: 33 }, profile: "lattice" } as const;
  expect(await findings("embedding.forward", { R: 200, V: 3, C: 40 }, options)).toEqual([]);
  expect(await findings("embedding.backward", { R: 200, V: 3, C: 40 }, options)).toEqual([]);
});
