import type { Mutant } from "./mutant.ts";

const forward = { op: "gradient-norm.forward", file: "gradient-norm.forward.wgsl" } as const;
const elements = "for (var n = group.x * WG + lane; n < dims.N; n += dims.P * WG) { sum += g[n] * g[n]; }";
const shares = "for (var p = lane; p < dims.P; p += WG) { sum += parts[p]; }";

export const gradientNorm: readonly Mutant[] = [
  {
    ...forward,
    kind: "tail",
    what: "the last element is left out",
    from: elements,
    to: elements.replace("n < dims.N", "n + 1 < dims.N"),
  },
  {
    ...forward,
    kind: "tail",
    what: "one element beyond the end is added",
    from: elements,
    to: elements.replace("n < dims.N", "n <= dims.N"),
  },
  {
    ...forward,
    kind: "index",
    what: "elements are read twice, as where ranks count replicas",
    from: elements,
    to: elements.replace("group.x * WG + lane", "lane"),
    source: "NVIDIA-NeMo/RL 3788",
  },
  {
    ...forward,
    kind: "index",
    what: "each lane takes one element and ends",
    from: elements,
    to: "if (group.x * WG + lane < dims.N) { let n = group.x * WG + lane; sum += g[n] * g[n]; }",
  },
  {
    ...forward,
    kind: "index",
    what: "workgroups overlap by one element",
    from: elements,
    to: elements.replace(
      "group.x * WG + lane",
      "max(group.x * WG, 1) - min(group.x, 1) + lane - select(1u, 0u, group.x > 0)",
    ),
  },
  {
    ...forward,
    kind: "tail",
    what: "the last workgroup's share is left out",
    from: shares,
    to: shares.replace("p < dims.P", "p + 1 < dims.P"),
  },
  {
    ...forward,
    kind: "tail",
    what: "one share too many is added",
    from: shares,
    to: shares.replace("p < dims.P", "p <= dims.P"),
  },
  {
    ...forward,
    kind: "index",
    what: "the pairwise sum drops the middle lane of an odd number, and lanes have become 63",
    from: "let upper = lane + (n + 1) / 2;",
    to: "let upper = lane + n / 2 + 1;",
  },
  {
    ...forward,
    kind: "formula",
    what: "the infinity norm is added up",
    from: elements,
    to: elements.replace("sum += g[n] * g[n]", "sum = max(sum, g[n] * g[n])"),
    source: "facebookresearch/fairscale 167",
  },
  {
    ...forward,
    kind: "formula",
    what: "the square of the norm",
    from: "select(sqrt(whole), 0.0, whole < 0x1p-126)",
    to: "whole",
  },
  {
    ...forward,
    kind: "formula",
    what: "the mean of the squares",
    from: "sqrt(whole)",
    to: "sqrt(whole / f32(max(dims.N, 1)))",
  },
  {
    ...forward,
    kind: "formula",
    what: "the sum of the magnitudes",
    from: elements,
    to: elements.replace("g[n] * g[n]", "abs(g[n])"),
  },
  {
    ...forward,
    kind: "numerical",
    what: "gradients are rounded to float16",
    from: elements,
    to: elements.replace("g[n] * g[n]", "quantizeToF16(g[n]) * g[n]"),
  },
  {
    ...forward,
    kind: "memory",
    what: "without elements nothing is written",
    from: "if (lane == 0) { norm[0] =",
    to: "if (lane == 0 && dims.N > 0) { norm[0] =",
  },
  {
    ...forward,
    kind: "synchronisation",
    what: "lanes are added before they are all written",
    from: "lanes[lane] = mine;\n  workgroupBarrier();",
    to: "lanes[lane] = mine;",
  },
  {
    ...forward,
    kind: "synchronisation",
    what: "a round of additions does not wait for the one before",
    from: "if (upper < n) { lanes[lane] += lanes[upper]; }\n    workgroupBarrier();",
    to: "if (upper < n) { lanes[lane] += lanes[upper]; }",
  },
];
