// Cross-entropy, mean over the n targets that are not ignored, and its gradient.
import { spread } from "./device/declaration.ts";
import { defineKernel, defineProgram } from "./device/kernel.ts";
import { wgsl } from "./texts.ts";

const forwardFile = wgsl("cross-entropy.forward");
const backwardFile = wgsl("cross-entropy.backward");
const overrides = { WG: 64 };

const rows = defineKernel({
  ...forwardFile,
  entry: "rows",
  inputs: { logits: "R,V", targets: "R" },
  outputs: { lse: "R", rowLosses: "R" },
  wide: ["lse", "rowLosses"],
  scalars: ["ignoreIndex"],
  overrides,
  workgroups: ({ R }) => spread(R),
});

const mean = defineKernel({
  ...forwardFile,
  entry: "mean",
  inputs: { rowLosses: "R", targets: "R" },
  outputs: { loss: "" },
  wide: ["loss"],
  scalars: ["V", "ignoreIndex"],
  overrides,
  workgroups: () => [1],
});

/** logits: [R, V], targets: [R], each a class in [0, V) or ignoreIndex → loss: [], lse: [R]. */
export const forward = defineProgram({
  id: "cross-entropy.forward",
  inputs: { logits: "R,V", targets: "R" },
  outputs: { loss: "", lse: "R" },
  scalars: ["ignoreIndex"],
  record(run, { logits, targets }, { ignoreIndex }) {
    const { lse, rowLosses } = run.dispatch(rows, { logits, targets }, { ignoreIndex });
    const V = logits.shape[1];
    const { loss } = run.dispatch(mean, { rowLosses, targets }, { V, ignoreIndex });
    run.release(rowLosses);
    return { loss, lse };
  },
});

const count = defineKernel({
  ...backwardFile,
  entry: "count",
  inputs: { targets: "R" },
  outputs: { n: "" },
  wide: ["n"],
  scalars: ["V", "ignoreIndex"],
  overrides,
  workgroups: () => [1],
});

const gradient = defineKernel({
  ...backwardFile,
  entry: "gradient",
  inputs: { dloss: "", logits: "R,V", targets: "R", lse: "R", n: "" },
  outputs: { dlogits: "R,V" },
  scalars: ["ignoreIndex"],
  overrides,
  workgroups: ({ R, V, WG }) => spread(Math.ceil((R * V) / WG)),
});

/** dloss: [], logits: [R, V], targets: [R], lse: [R] as the forward left it → dlogits: [R, V]. */
export const backward = defineProgram({
  id: "cross-entropy.backward",
  inputs: { dloss: "", logits: "R,V", targets: "R", lse: "R" },
  outputs: { dlogits: "R,V" },
  scalars: ["ignoreIndex"],
  record(run, { dloss, logits, targets, lse }, { ignoreIndex }) {
    const { n } = run.dispatch(count, { targets }, { V: logits.shape[1], ignoreIndex });
    const { dlogits } = run.dispatch(gradient, { dloss, logits, targets, lse, n }, { ignoreIndex });
    run.release(n);
    return { dlogits };
  },
});
