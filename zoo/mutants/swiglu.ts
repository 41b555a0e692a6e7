import type { Mutant } from "./mutant.ts";

const forward = { op: "swiglu.forward", file: "swiglu.forward.wgsl" } as const;
const backward = { op: "swiglu.backward", file: "swiglu.backward.wgsl" } as const;
const last = "if (i >= dims.R * dims.F) { return; }";

export const swiglu: readonly Mutant[] = [
  {
    ...forward,
    kind: "tail",
    what: "one element beyond the end is written",
    from: last,
    to: "if (i > dims.R * dims.F) { return; }",
  },
  {
    ...forward,
    kind: "tail",
    what: "the last element is not written",
    from: last,
    to: "if (i + 1 >= dims.R * dims.F) { return; }",
  },
  { ...forward, kind: "tail", what: "the overhang is written", from: last, to: "" },
  { ...forward, kind: "index", what: "up is read from the first row", from: "* up[i];", to: "* up[i % dims.F];" },
  {
    ...forward,
    kind: "index",
    what: "gate is read one element early",
    from: "y[i] = gate[i] *",
    to: "y[i] = gate[max(i, 1) - 1] *",
  },
  { ...forward, kind: "formula", what: "σ in place of silu", from: "y[i] = gate[i] * select", to: "y[i] = select" },
  { ...forward, kind: "formula", what: "the sign of gate is ignored", from: "gate[i] < 0.0) /", to: "false) /" },
  {
    ...forward,
    kind: "numerical",
    what: "the factor of exp2 has three digits",
    from: "exp(-abs(gate[i]))",
    to: "exp2(-1.44 * abs(gate[i]))",
  },
  {
    ...forward,
    kind: "numerical",
    what: "gate is rounded to float16",
    from: "y[i] = gate[i] *",
    to: "y[i] = quantizeToF16(gate[i]) *",
  },
  {
    ...backward,
    kind: "tail",
    what: "one element beyond the end is written",
    from: last,
    to: "if (i > dims.R * dims.F) { return; }",
  },
  {
    ...backward,
    kind: "tail",
    what: "the last element is not written",
    from: last,
    to: "if (i + 1 >= dims.R * dims.F) { return; }",
  },
  {
    ...backward,
    kind: "index",
    what: "dy is read from the first row",
    from: "dgate[i] = dy[i] *",
    to: "dgate[i] = dy[i % dims.F] *",
  },
  { ...backward, kind: "index", what: "dup is written to its neighbour", from: "dup[i] =", to: "dup[i ^ 1] =" },
  {
    ...backward,
    kind: "formula",
    what: "the derivative of silu is taken for σ",
    from: "* s * (1.0 + g * t);",
    to: "* s;",
  },
  { ...backward, kind: "formula", what: "1 − σ is taken for σ", from: "(1.0 + g * t)", to: "(1.0 + g * s)" },
  { ...backward, kind: "formula", what: "dup lacks the factor gate", from: "(g * s);", to: "s;" },
  { ...backward, kind: "memory", what: "dup is not written", from: "dup[i] = dy[i] * (g * s);", to: "" },
  {
    ...backward,
    kind: "numerical",
    what: "σ is rounded to float16",
    from: "* s * (1.0",
    to: "* quantizeToF16(s) * (1.0",
  },
];
