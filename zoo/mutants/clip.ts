import type { Mutant } from "./mutant.ts";

const forward = { op: "clip.forward", file: "clip.forward.wgsl" } as const;
const last = "if (n >= dims.N) { return; }";
const scale = "select(wanted, 1.0, wanted >= 1.0)";

export const clip: readonly Mutant[] = [
  {
    ...forward,
    kind: "tail",
    what: "one element beyond the end is written",
    from: last,
    to: "if (n > dims.N) { return; }",
  },
  { ...forward, kind: "tail", what: "the overhang is written", from: last, to: "" },
  {
    ...forward,
    kind: "tail",
    what: "the last element is not written",
    from: last,
    to: "if (n + 1 >= dims.N) { return; }",
  },
  {
    ...forward,
    kind: "index",
    what: "the norm is read at the element's place",
    from: "(norm[0] + 1e-6)",
    to: "(norm[n] + 1e-6)",
  },
  {
    ...forward,
    kind: "index",
    what: "g is read one element early",
    from: "g[n] * scale",
    to: "g[max(n, 1) - 1] * scale",
  },
  {
    ...forward,
    kind: "mask",
    what: "gradients below the limit are enlarged to it",
    from: scale,
    to: "wanted",
  },
  {
    ...forward,
    kind: "mask",
    what: "the limit is 1 whatever is given",
    from: "dims.maxNorm / (norm[0]",
    to: "1.0 / (norm[0]",
  },
  { ...forward, kind: "formula", what: "nothing is clipped", from: "g[n] * scale", to: "g[n]" },
  {
    ...forward,
    kind: "formula",
    what: "each element is clipped alone",
    from: "g[n] * scale",
    to: "clamp(g[n], -dims.maxNorm, dims.maxNorm)",
  },
  {
    ...forward,
    kind: "formula",
    what: "the norm is squared",
    from: "(norm[0] + 1e-6)",
    to: "(norm[0] * norm[0] + 1e-6)",
  },
  {
    ...forward,
    kind: "formula",
    what: "the norm is the larger of itself and ε",
    from: "(norm[0] + 1e-6)",
    to: "max(norm[0], 1e-6)",
  },
  { ...forward, kind: "formula", what: "ε is 10⁻⁵", from: "norm[0] + 1e-6", to: "norm[0] + 1e-5" },
  {
    ...forward,
    kind: "numerical",
    what: "the scale is rounded to float16",
    from: "g[n] * scale",
    to: "g[n] * quantizeToF16(scale)",
  },
];
