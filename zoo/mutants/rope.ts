import type { Mutant } from "./mutant.ts";

const files = [
  { op: "rope.forward", file: "rope.forward.wgsl" },
  { op: "rope.backward", file: "rope.backward.wgsl" },
] as const;
const end = "if (p >= dims.B * dims.T * dims.NH * half) { return; }";

const both: readonly Mutant[] = files.flatMap((of): Mutant[] => [
  {
    ...of,
    kind: "tail",
    what: "one pair beyond the end is written",
    from: end,
    to: end.replace(">=", ">"),
  },
  { ...of, kind: "tail", what: "the overhang is written", from: end, to: "" },
  {
    ...of,
    kind: "tail",
    what: "the last pair is not written",
    from: end,
    to: end.replace("p >=", "p + 1 >="),
  },
  {
    ...of,
    kind: "index",
    what: "adjacent pairs whatever the layout",
    from: "let adjacent = dims.halfSplit == 0;",
    to: "let adjacent = true;",
    source: "jzhang38/TinyLlama 24",
  },
  {
    ...of,
    kind: "index",
    what: "half-split pairs whatever the layout",
    from: "let adjacent = dims.halfSplit == 0;",
    to: "let adjacent = false;",
    source: "huggingface/transformers 25199",
  },
  {
    ...of,
    kind: "index",
    what: "the head stands for the position",
    from: "let t = row / dims.NH % dims.T;",
    to: "let t = row % dims.NH % dims.T;",
  },
  {
    ...of,
    kind: "index",
    what: "the position runs on through the batch",
    from: "let t = row / dims.NH % dims.T;",
    to: "let t = min(row / dims.NH, dims.T - 1);",
  },
  {
    ...of,
    kind: "index",
    what: "the table is read as if it were as wide as the head",
    from: "let s = sin[t * half + i];",
    to: "let s = sin[t * dims.HS % (dims.T * half) + i];",
  },
  {
    ...of,
    kind: "index",
    what: "the sine of the next pair",
    from: "let s = sin[t * half + i];",
    to: "let s = sin[t * half + (i + 1) % half];",
  },
  {
    ...of,
    kind: "numerical",
    what: "the cosine is rounded to float16",
    from: "let c = cos[t * half + i];",
    to: "let c = quantizeToF16(cos[t * half + i]);",
  },
  {
    ...of,
    kind: "formula",
    what: "sine and cosine are exchanged",
    from: "let c = cos[t * half + i];",
    to: "let c = sin[t * half + i];",
  },
]);

export const rope: readonly Mutant[] = [
  ...both,
  {
    ...files[0],
    kind: "index",
    what: "the two of a pair are written in the wrong order",
    from: "y[second] = x[first] * s + x[second] * c;",
    to: "y[second] = y[first]; y[first] = x[first] * s + x[second] * c;",
    source: "vllm-project/vllm-metal 44",
  },
  {
    ...files[0],
    kind: "memory",
    what: "the second of a pair is turned from the first's result, as in place",
    from: "y[second] = x[first] * s",
    to: "y[second] = y[first] * s",
  },
  {
    ...files[0],
    kind: "formula",
    what: "it turns by the negative angle",
    from: "let s = sin[t * half + i];",
    to: "let s = -sin[t * half + i];",
  },
  {
    ...files[1],
    kind: "formula",
    what: "the backward turns forward again",
    from: "let s = sin[t * half + i];",
    to: "let s = -sin[t * half + i];",
    source: "a classic: the gradient of a rotation is the opposite rotation",
  },
  {
    ...files[1],
    kind: "memory",
    what: "the second of a pair is not written",
    from: "dx[second] = dy[second] * c - dy[first] * s;",
    to: "",
  },
];
