import { expect, test } from "vitest";
import { testKernel } from "../rows.ts";
import { findings } from "./findings.ts";

testKernel("add.forward");

test("more than 65,535 workgroups", async () => {
  expect(await findings("add.forward", { N: 65_537 }, { overrides: { WG: 1 } })).toEqual([]);
});
