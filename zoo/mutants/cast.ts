import type { Mutant } from "./mutant.ts";

const forward = { op: "cast.forward", file: "cast.forward.wgsl" } as const;
const last = "if (i >= dims.N) { return; }";
const copy = "y[i] = x[i];";

export const cast: readonly Mutant[] = [
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
    what: "the last of an odd number of elements is not written",
    from: last,
    to: "if (i >= dims.N / 2 * 2) { return; }",
  },
  { ...forward, kind: "tail", what: "the overhang is written", from: last, to: "" },
  { ...forward, kind: "index", what: "the halves of a pair are exchanged", from: copy, to: "y[i] = x[i ^ 1];" },
  { ...forward, kind: "index", what: "both of a pair are its first", from: copy, to: "y[i] = x[i / 2 * 2];" },
  { ...forward, kind: "formula", what: "the sign is lost", from: copy, to: "y[i] = abs(x[i]);" },
  {
    ...forward,
    kind: "numerical",
    what: "rounded to float16 on the way",
    from: copy,
    to: "y[i] = quantizeToF16(x[i]);",
  },
  {
    ...forward,
    kind: "numerical",
    what: "cut off to bfloat16 on the way",
    from: copy,
    to: "y[i] = bitcast<f32>(bitcast<u32>(x[i]) & 0xffff0000u);",
  },
  {
    ...forward,
    kind: "numerical",
    what: "half a unit of bfloat16 is added before what follows is cut off, without the tie's bit",
    from: copy,
    to: "y[i] = bitcast<f32>((bitcast<u32>(x[i]) + 0x8000u) & 0xffff0000u);",
  },
];
