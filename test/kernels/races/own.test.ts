import { describe, expect, test } from "vitest";
import { buildCase } from "../../../judge/campaign.ts";
import { choose } from "../../../judge/choose.ts";
import { numbersOf } from "../../../kernels-gpu/candidate.ts";
import { type Looked, lookForRaces } from "../../../kernels-gpu/races/index.ts";
import { kernelOf, kernels } from "../../../kernels-gpu/index.ts";
import { wgsl } from "../../../kernels-gpu/texts.ts";
import type { OpName } from "../../../reference/ops/index.ts";

const names = Object.keys(kernels) as OpName[];

/** Lengths with which attention's backward takes less time, and still meets several tiles of keys and of queries. */
const shorter: Partial<Record<OpName, object>> = { "attention.backward": { B: 1, NKV: 1, groups: 1, HS: 2 } };

function look(name: OpName, sources: ReadonlyMap<string, string> = new Map()): Looked {
  const [{ operation, spec }] = choose([name]) as [ReturnType<typeof choose>[number]];
  const sizes = { ...spec.ordinary, ...shorter[name] };
  const { inputs, scalars } = buildCase(spec, { op: name, sizes, profile: "unit", seed: 1 });
  const program = kernelOf(name)!;
  return lookForRaces(program, inputs, numbersOf(operation, program, scalars), { steps: 4e6, sources });
}

/** Without a kernel's n-th barrier; a uniform load becomes a plain one. */
function withoutBarrier(source: string, n: number): string | undefined {
  const site = [...source.matchAll(/workgroupBarrier\(\);|workgroupUniformLoad\(&(\w+\[0\])\)/g)][n];
  return site && source.slice(0, site.index) + (site[1] ?? "") + source.slice(site.index + site[0].length);
}

describe("the project's kernels", () => {
  test.each(names)("%s: no race, nothing left out", (name) => {
    const { races, unordered, workgroups, stopped } = look(name);
    expect({ races, unordered, stopped }).toEqual({ races: [], unordered: [], stopped: undefined });
    expect(workgroups).toBeGreaterThan(1);
  });

  const dropped = names.flatMap((name) => {
    const { source } = wgsl(name);
    const barriers = [...source.matchAll(/workgroupBarrier\(\);|workgroupUniformLoad\(/g)].length;
    return Array.from({ length: barriers }, (_, n) => [name, n] as const);
  });
  expect(dropped.length).toBeGreaterThan(25);

  test.each(dropped)("%s without its barrier %i shows", (name, n) => {
    const mutant = withoutBarrier(wgsl(name).source, n)!;
    const { races, unordered } = look(name, new Map([[`${name}.wgsl`, mutant]]));
    expect([...races, ...unordered]).not.toEqual([]);
  });
});
