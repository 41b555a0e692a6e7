// The names of a trace: what each says about its tensor, which ones every trace holds, and when in a step each is computed.
import { blockTensors, type TensorName } from "../reference/model/block-table.ts";
import { nameInLayer } from "../reference/training/recorded-names.ts";

/** The names that the forward records for a layer, except statistics, which are recorded under the name of their norm. */
export const layerNames = (Object.keys(blockTensors) as TensorName[])
  .filter((name) => name !== "x")
  .map(nameInLayer)
  .filter((name) => !name.includes("."));

/** A tensor of a trace as its name describes it. */
export interface TraceTensor {
  /** N of a tensor under steps.N; NaN if N is no number. */
  readonly step: number | undefined;
  /** N of a tensor under microBatches.N; NaN if N is no number. */
  readonly microBatch: number | undefined;
  /** Such as "activations", "gradients", "weights". */
  readonly kind: string;
  /** The rest of the name, such as ["layers", "0", "ffn_norm", "rstd"]. */
  readonly path: readonly string[];
}

/** "steps.0.gradients.norm.weight" → step 0, kind "gradients", path ["norm", "weight"]. */
export function traceTensor(name: string): TraceTensor {
  const [first, number, ...path] = name.split(".");
  const rest = [number, ...path].filter((part) => part !== undefined);
  if (first !== "steps" && first !== "microBatches") {
    return { step: undefined, microBatch: undefined, kind: first, path: rest };
  }
  const index = String(Number(number)) === number ? Number(number) : NaN;
  const [kind = "", ...inKind] = path;
  const [step, microBatch] = first === "steps" ? [index, undefined] : [undefined, index];
  return { step, microBatch, kind, path: inKind };
}

const passKinds: ReadonlySet<string> = new Set(["activations", "activationGradients", "gradients"]);

/** Whether a pass computed the tensor, in the dtype of the pass. */
export function isOfPass({ step, kind, path }: TraceTensor): boolean {
  return step === undefined && passKinds.has(kind) && path.length > 0;
}

/** Whether a pass's tensor of that name belongs in every trace; the rest only in a full one. */
export function isAlwaysRecorded(name: string): boolean {
  const tensor = traceTensor(name);
  if (!isOfPass(tensor)) return false;
  const { kind, path } = tensor;
  if (kind === "gradients") return true;
  const [part, , inLayer] = path;
  if (part === "layers") return path.length === 3 && layerNames.includes(inLayer);
  return path.length === 1 && ["embedding", "norm", "logits"].includes(part);
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
  return ranked.toSorted((a, b) => byRank(a.rank, b.rank)).map(({ name }) => name);
}

function rankOf(name: string): number[] {
  const { step, microBatch, kind, path } = traceTensor(name);
  if (microBatch !== undefined) {
    return [stages.indexOf("microBatches"), microBatch, ...rankOf([kind, ...path].join("."))];
  }
  const ofPass = kind === "activationGradientTerms" ? "activationGradients" : kind;
  const stage = step === undefined ? ofPass : "steps";
  const direction = stage === "activationGradients" ? -1 : 1;
  const [part, layer, inLayer] = step === undefined ? path : [kind]; // a step's are in the order in which they were recorded
  return [
    stages.includes(stage) ? stages.indexOf(stage) : stages.length,
    step ?? 0,
    direction * parts.indexOf(part),
    direction * (part === "layers" ? Number(layer) : 0),
    direction * layerNames.indexOf(inLayer),
  ];
}

function byRank(a: readonly number[], b: readonly number[]): number {
  const i = a.findIndex((x, j) => x !== b[j]);
  return i < 0 ? 0 : a[i] - b[i];
}
