// The names of a trace: which every trace holds, which only a full one, and when in a step each is computed.

/** What the forward records of a layer. */
export const layerNames = [
  "attention_norm",
  "q_projection",
  "k_projection",
  "v",
  "q",
  "k",
  "lse",
  "attention",
  "attention_output",
  "attention_residual",
  "ffn_norm",
  "gate",
  "up",
  "swiglu",
  "ffn_output",
  "ffn_residual",
];
const always = new RegExp(
  `^(microBatches\\.\\d+\\.)?(gradients\\..*|activation(s|Gradients)\\.(embedding|norm|logits|layers\\.\\d+\\.(${layerNames.join("|")})))$`,
);

/** Whether what a pass records under that name belongs into every trace; the rest belongs into a full one. */
export function isAlwaysRecorded(name: string): boolean {
  return always.test(name);
}

const stages = [
  "tokens",
  "targets",
  "weights",
  "initial",
  "microBatches",
  "activations",
  "activationGradients",
  "gradientTerms",
  "gradients",
  "accumulated",
  "firstStep",
  "steps",
  "losses",
  "gradientNorms",
  "learningRates",
  "firstMoment",
  "secondMoment",
  "final",
];
const parts = ["rope", "tok_embeddings", "embedding", "layers", "norm", "output", "logits", "lse", "loss"];

/** The names sorted by when a step computes them, so that the first that differs is the first in time. */
export function inOrderOfComputation(names: Iterable<string>): string[] {
  const ranked = [...names].map((name, i) => ({ name, rank: [...rankOf(name), i] }));
  return ranked.toSorted((a, b) => compare(a.rank, b.rank)).map(({ name }) => name);
}

function rankOf(name: string): number[] {
  const [first, ...path] = name.split(".");
  if (first === "microBatches") return [stages.indexOf(first), Number(path[0]), ...rankOf(path.slice(1).join("."))];
  const stage = first === "activationGradientTerms" ? "activationGradients" : first;
  const step = stage === "steps" ? Number(path.shift()) : 0;
  const direction = stage === "activationGradients" ? -1 : 1;
  const [part, layer, inLayer] = path;
  return [
    stages.includes(stage) ? stages.indexOf(stage) : stages.length,
    step,
    direction * parts.indexOf(part),
    direction * (part === "layers" ? Number(layer) : 0),
    direction * layerNames.indexOf(inLayer),
  ];
}

function compare(a: readonly number[], b: readonly number[]): number {
  const i = a.findIndex((x, j) => x !== b[j]);
  return i < 0 ? 0 : a[i] - b[i];
}
