import type { Mutant } from "./mutant.ts";

const forward = { op: "softmax.forward", file: "softmax.forward.wgsl" } as const;
const backward = { op: "softmax.backward", file: "softmax.backward.wgsl" } as const;

const largest = "for (var c = lane; c < dims.C; c += WG) { largest = max(largest, x[row + c]); }";
const sum = "for (var c = lane; c < dims.C; c += WG) { sum += exp(x[row + c] - m); }";
const quotient = "y[row + c] = exp(x[row + c] - m) / total;";
const share = "for (var c = lane; c < dims.C; c += WG) { share += dy[row + c] * y[row + c]; }";
const gradient = "dx[row + c] = y[row + c] * (dy[row + c] - projection);";

export const softmax: readonly Mutant[] = [
  {
    ...forward,
    kind: "numerical",
    what: "no maximum is subtracted: e^x overflows above 88",
    from: "let m = workgroupUniformLoad(&lanes[0]);",
    to: "let m = 0.0 * workgroupUniformLoad(&lanes[0]);",
    source: "gpuweb/gpuweb 4458",
  },
  {
    ...forward,
    kind: "numerical",
    what: "exponentials are rounded to float16 in the sum",
    from: sum,
    to: "for (var c = lane; c < dims.C; c += WG) { sum += quantizeToF16(exp(x[row + c] - m)); }",
  },
  {
    ...forward,
    kind: "numerical",
    what: "the factor of exp2 has three digits",
    from: quotient,
    to: "y[row + c] = exp2(1.44 * (x[row + c] - m)) / total;",
  },
  {
    ...forward,
    kind: "numerical",
    what: "the maximum starts at a number that is not low enough",
    from: "const LOWEST = -0x1.fffffep+127f;",
    to: "const LOWEST = 100.0f;",
  },
  {
    ...forward,
    kind: "numerical",
    what: "the maximum starts at 0: the sum of a row far below it vanishes",
    from: "const LOWEST = -0x1.fffffep+127f;",
    to: "const LOWEST = 0.0f;",
  },
  {
    ...forward,
    kind: "tail",
    what: "the last element is left out of the sum",
    from: sum,
    to: "for (var c = lane; c + 1 < dims.C; c += WG) { sum += exp(x[row + c] - m); }",
  },
  {
    ...forward,
    kind: "tail",
    what: "the element beyond the last is added: it is the next row's first one",
    from: sum,
    to: "for (var c = lane; c <= dims.C; c += WG) { sum += exp(x[row + c] - m); }",
  },
  {
    ...forward,
    kind: "tail",
    what: "the row is one element too long",
    from: `for (var c = lane; c < dims.C; c += WG) { ${quotient} }`,
    to: `for (var c = lane; c <= dims.C; c += WG) { ${quotient} }`,
  },
  {
    ...forward,
    kind: "index",
    what: "only as many elements as there are lanes are added",
    from: sum,
    to: "for (var c = lane; c < min(dims.C, WG); c += WG) { sum += exp(x[row + c] - m); }",
  },
  {
    ...forward,
    kind: "index",
    what: "the first row's maximum for all rows",
    from: largest,
    to: "for (var c = lane; c < dims.C; c += WG) { largest = max(largest, x[c]); }",
  },
  {
    ...forward,
    kind: "index",
    what: "the tree leaves out the last lane of each level",
    from: "if (lane + half < left) { lanes[lane] += lanes[lane + half]; }",
    to: "if (lane + half + 1 < left) { lanes[lane] += lanes[lane + half]; }",
  },
  {
    ...forward,
    kind: "synchronisation",
    what: "the sums are combined before all lanes have written theirs",
    from: `    workgroupBarrier();  // the lanes are written
    if (lane + half < left) { lanes[lane] +=`,
    to: "    if (lane + half < left) { lanes[lane] +=",
    source: "ggml-org/llama.cpp 13438",
  },
  { ...forward, kind: "formula", what: "the shares are not divided by the sum", from: " / total;", to: ";" },

  {
    ...backward,
    kind: "formula",
    what: "the sum is not taken out",
    from: gradient,
    to: "dx[row + c] = y[row + c] * dy[row + c];",
  },
  {
    ...backward,
    kind: "formula",
    what: "the mean is taken out in place of the sum",
    from: gradient,
    to: "dx[row + c] = y[row + c] * (dy[row + c] - projection / f32(dims.C));",
  },
  {
    ...backward,
    kind: "formula",
    what: "the weights are left out of the sum",
    from: share,
    to: "for (var c = lane; c < dims.C; c += WG) { share += dy[row + c]; }",
  },
  {
    ...backward,
    kind: "formula",
    what: "the derivative of a sigmoid: y · (1 − y) · dy",
    from: gradient,
    to: "dx[row + c] = y[row + c] * (1.0 - y[row + c]) * dy[row + c];",
  },
  {
    ...backward,
    kind: "tail",
    what: "the last element is left out of the sum",
    from: share,
    to: "for (var c = lane; c + 1 < dims.C; c += WG) { share += dy[row + c] * y[row + c]; }",
  },
  {
    ...backward,
    kind: "tail",
    what: "the row is one element too long",
    from: `for (var c = lane; c < dims.C; c += WG) { ${gradient} }`,
    to: `for (var c = lane; c <= dims.C; c += WG) { ${gradient} }`,
  },
  {
    ...backward,
    kind: "index",
    what: "only as many elements as there are lanes are added",
    from: share,
    to: "for (var c = lane; c < min(dims.C, WG); c += WG) { share += dy[row + c] * y[row + c]; }",
  },
  {
    ...backward,
    kind: "index",
    what: "the first row's weights for all rows",
    from: gradient,
    to: "dx[row + c] = y[c] * (dy[row + c] - projection);",
  },
  {
    ...backward,
    kind: "index",
    what: "the tree leaves out the last lane of each level",
    from: "if (lane + half < left) { lanes[lane] += lanes[lane + half]; }",
    to: "if (lane + half + 1 < left) { lanes[lane] += lanes[lane + half]; }",
  },
  {
    ...backward,
    kind: "synchronisation",
    what: "the shares are added before all are there",
    from: "    workgroupBarrier();  // the lanes are written\n",
    to: "",
    source: "ggml-org/llama.cpp 13438",
  },
  {
    ...backward,
    kind: "numerical",
    what: "the shares are added in float16",
    from: share,
    to: "for (var c = lane; c < dims.C; c += WG) { share = quantizeToF16(share + dy[row + c] * y[row + c]); }",
  },
  {
    ...backward,
    kind: "numerical",
    what: "the weights are rounded to float16",
    from: gradient,
    to: "dx[row + c] = quantizeToF16(y[row + c]) * (dy[row + c] - projection);",
  },
];
