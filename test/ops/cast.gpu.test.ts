import { expect, test } from "vitest";
import { testKernel } from "../rows.ts";
import { findings } from "./findings.ts";

testKernel("cast.forward");

test("more than 65,535 workgroups", async () => {
  expect(await findings("cast.forward", { N: 65_537 }, { overrides: { WG: 1 } })).toEqual([]);
});
