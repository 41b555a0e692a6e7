import type { Mutant } from "./mutant.ts";

const forward = { op: "add.forward", file: "add.forward.wgsl" } as const;
const last = "if (i >= dims.N) { return; }";
const sum = "y[i] = a[i] + b[i];";

export const add: readonly Mutant[] = [
  {
    ...forward,
    kind: "tail",
    what: "one element beyond the end is written",
    from: last,
    to: "if (i > dims.N) { return; }",
  },
  {
    ...forward,
    kind: "tail",
    what: "the last element is not written",
    from: last,
    to: "if (i + 1 >= dims.N) { return; }",
  },
  { ...forward, kind: "tail", what: "the overhang is written", from: last, to: "" },
  {
    ...forward,
    kind: "tail",
    what: "what does not fill a workgroup is left out",
    from: last,
    to: "if (i >= dims.N / WG * WG) { return; }",
  },
  { ...forward, kind: "index", what: "b is read one element late", from: sum, to: "y[i] = a[i] + b[i + 1];" },
  { ...forward, kind: "index", what: "b is broadcast from its start", from: sum, to: "y[i] = a[i] + b[i % WG];" },
  { ...forward, kind: "index", what: "written to the neighbour", from: sum, to: "y[i ^ 1] = a[i] + b[i];" },
  { ...forward, kind: "formula", what: "subtracted", from: sum, to: "y[i] = a[i] - b[i];" },
  {
    ...forward,
    kind: "memory",
    what: "a is added twice: the output's buffer taken for the second operand",
    from: sum,
    to: "y[i] = a[i]; y[i] = a[i] + y[i];",
    source: "llama.cpp 26146",
  },
  {
    ...forward,
    kind: "numerical",
    what: "the sum is rounded to float16",
    from: sum,
    to: "y[i] = quantizeToF16(a[i] + b[i]);",
  },
  {
    ...forward,
    kind: "numerical",
    what: "the last four bits of the smaller operand are lost",
    from: sum,
    to: "y[i] = a[i] + bitcast<f32>(bitcast<u32>(b[i]) & 0xfffffff0u);",
  },
];
