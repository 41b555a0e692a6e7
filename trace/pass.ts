// Both passes of step 0 as op instances: the rows of the model's tables (reference/model), each under the shapes of its op
// and the names of a trace.
import {
  type BackwardRow,
  blockBackwardOps,
  blockGradients,
  type GradientName,
} from "../reference/model/block-backward.ts";
import { type Axis, blockOps, blockTensors, type OpRow, type TensorName } from "../reference/model/block-table.ts";
import { LAYOUT } from "../reference/model/block.ts";
import {
  modelBackwardOps,
  type ModelBackwardRow,
  type ModelOperand,
  modelOps,
  type ModelRow,
  modelTensors,
  type ModelWeight,
} from "../reference/model/model-table.ts";
import { count, sizesOf } from "../reference/model/sizes.ts";
import { axesOf, type Operation, type Scalars } from "../reference/operation.ts";
import { IGNORE_INDEX } from "../reference/ops/cross-entropy.ts";
import { operations } from "../reference/ops/index.ts";
import { roundScalar } from "../reference/tensor.ts";
import { activationName, gradientName, nameInLayer, streamName } from "../reference/training/recorded-names.ts";
import { layerWeightName, weightShapes } from "../reference/weights.ts";
import { flat, type Instance, type Recorded, recorded, type TraceShape } from "./instance.ts";

/** The forward; the recorded names begin with `at`: that of a micro-batch, or nothing. */
export function forwardInstances(shape: TraceShape, at = ""): Instance[] {
  const { outside, block } = sayingOf(shape, at);
  const layers = Array.from({ length: shape.config.nLayers }, (_, i) => i);
  return [
    ...modelOps.before.map((row) => outside(row)),
    ...layers.flatMap((i) => blockOps.map((row) => block(row, i))),
    ...modelOps.after.map((row) => outside(row)),
  ];
}

/** The backward, and with a tied head the sum of its two gradients. */
export function backwardInstances(shape: TraceShape, at = ""): Instance[] {
  const { outsideBackward, blockBackward, tiedSum } = sayingOf(shape, at);
  const layers = Array.from({ length: shape.config.nLayers }, (_, i) => i).toReversed();
  return [
    ...modelBackwardOps.before.map((row) => outsideBackward(row)),
    ...layers.flatMap((i) => blockBackwardOps.map((row) => blockBackward(row, i))),
    ...modelBackwardOps.after.map((row) => outsideBackward(row)),
    ...(shape.config.tiedEmbeddings ? [tiedSum()] : []),
  ];
}

/** The arguments of an op, by name, as axis letters. */
type Signature = Pick<Operation, "inputs" | "outputs" | "scalars">;
/** The backward of an addition, which no kernel computes: the gradient goes on unchanged. */
const passedOn: Signature = { inputs: { dy: "R,C" }, outputs: { da: "R,C" }, scalars: {} };

type ByArgument = (argument: string, axes: string) => Recorded;

function sayingOf({ config, B, T, like, mixed = false }: TraceShape, at: string) {
  const sizes = sizesOf(config, B, T);
  const { V, HS } = sizes;
  const shapes = weightShapes(config);
  const tied = config.tiedEmbeddings;
  const [eps, theta] = [roundScalar(config.normEps, like), roundScalar(config.ropeTheta, like)];
  const scalars: Scalars = { eps, theta, HS, start: 0, T, V, layout: LAYOUT, ignoreIndex: IGNORE_INDEX };
  const table: Readonly<Record<string, Recorded>> = {
    cos: recorded(`${at}activations.rope.cos`, T, HS / 2),
    sin: recorded(`${at}activations.rope.sin`, T, HS / 2),
  };

  /** An op at a place, with the tensors and scalars that its signature lists. */
  const instance = (op: string, where: string, input: ByArgument, output: ByArgument): Instance => {
    const signature = op === "add.backward" ? passedOn : operations.get(op)!;
    const listed = Object.keys(signature.scalars).map((name) => [name, scalars[name]]);
    const inputs = mapped(signature.inputs, (argument, axes) => table[argument] ?? input(argument, axes));
    const outputs = mapped(signature.outputs, output);
    return { op, where, stage: "pass", inputs, scalars: Object.fromEntries(listed) as Scalars, outputs };
  };

  /** The shape under which an op with these axes sees a tensor: rows, numbers side by side, or as it is. */
  const seen = (axes: string, shape: readonly Axis[]): number[] => {
    const [first, ...others] = axesOf(axes);
    const N = count(shape, sizes);
    if (first === "N") return [N];
    if (first === "R") return others.length === 0 ? [B * T] : [B * T, N / (B * T)];
    return shape.map((axis) => sizes[axis]);
  };

  const weight = (name: string): Recorded =>
    recorded(`${mixed ? "castWeights" : "weights"}.${name}`, ...shapes.get(name)!);
  const dweight = (name: string): Recorded => recorded(`${at}gradients.${name}`, ...shapes.get(name)!);

  const activation = (i: number, name: TensorName, axes: string): Recorded =>
    recorded(at + activationName(i, name), ...seen(axes, blockTensors[name].shape));
  const gradient = (i: number, name: GradientName, axes: string): Recorded =>
    recorded(at + gradientName(i, name), ...seen(axes, blockTensors[blockGradients[name].like].shape));

  const operand = (kind: string, name: ModelOperand, axes: string): Recorded => {
    if (name === "tokens" || name === "targets") return recorded(`${at || "steps.0."}${name}`, B * T);
    if (name === "loss") return recorded(`${at}${kind}.loss`);
    const names = {
      embedding: streamName(0),
      last: streamName(config.nLayers),
      "norm.y": "norm",
      "crossEntropy.lse": "lse",
    };
    const recordedName = name in names ? names[name as keyof typeof names] : name;
    const { shape } = name === "embedding" ? blockTensors.x : modelTensors[name];
    return recorded(`${at}${kind}.${recordedName}`, ...seen(axes, shape));
  };
  const nameOf = { embedding: "tok_embeddings", norm: "norm", head: tied ? "tok_embeddings" : "output" };
  const outsideWeight = (name: ModelWeight): Recorded => weight(`${nameOf[name]}.weight`);
  const useOfTable = (use: string): Recorded =>
    recorded(`${at}gradientTerms.tok_embeddings.weight.${use}`, ...shapes.get("tok_embeddings.weight")!);
  const outsideGradient = (name: ModelWeight): Recorded =>
    tied && name !== "norm" ? useOfTable(name) : dweight(`${nameOf[name]}.weight`);

  return {
    outside: ({ op, place, inputs, weight: w, outputs }: ModelRow): Instance =>
      instance(
        `${op}.forward`,
        place,
        (argument, axes) => (argument === "w" ? outsideWeight(w!) : operand("activations", inputs[argument], axes)),
        (argument, axes) => table[argument] ?? operand("activations", outputs[argument], axes),
      ),
    outsideBackward: ({ op, place, gradients, activations, weight: w, gives }: ModelBackwardRow): Instance =>
      instance(
        op,
        place,
        (argument, axes) => {
          if (argument === "w") return outsideWeight(w!);
          if (argument in gradients) return operand("activationGradients", gradients[argument], axes);
          return operand("activations", activations[argument], axes);
        },
        (argument, axes) =>
          argument === "dw" ? outsideGradient(w!) : operand("activationGradients", gives[argument], axes),
      ),
    block: (row: OpRow, i: number): Instance =>
      instance(
        `${row.op}.forward`,
        `layer ${i}, ${placeOf(row)}`,
        (argument, axes) =>
          argument === "w" ? weight(layerWeightName(i, row.weight!)) : activation(i, row.inputs[argument], axes),
        (argument, axes) => activation(i, row.outputs[argument], axes),
      ),
    blockBackward: (row: BackwardRow, i: number): Instance =>
      instance(
        row.op,
        `layer ${i}, ${placeBackOf(row)}`,
        (argument, axes) => {
          if (argument === "w") return weight(layerWeightName(i, row.weight!));
          if (argument in row.gradients) return gradient(i, row.gradients[argument], axes);
          return activation(i, row.activations[argument], axes);
        },
        (argument, axes) =>
          argument === "dw" ? dweight(layerWeightName(i, row.weight!)) : gradient(i, row.gives[argument], axes),
      ),
    tiedSum: (): Instance => {
      const [a, b, y] = [useOfTable("embedding"), useOfTable("head"), dweight("tok_embeddings.weight")].map(flat);
      return instance(
        "add.forward",
        "gradient of the tied head",
        (argument) => ({ a, b })[argument]!,
        () => y,
      );
    },
  };
}

function mapped(signature: Readonly<Record<string, string>>, of: ByArgument): Record<string, Recorded> {
  return Object.fromEntries(Object.entries(signature).map(([argument, axes]) => [argument, of(argument, axes)]));
}

/** Where in a layer an op of the forward is: such as "wq", "rope of q", "attention", "ffn_residual". */
function placeOf({ op, weight, outputs }: OpRow): string {
  if (op === "linear") return weight!;
  if (op === "rope") return `rope of ${nameInLayer(outputs.y)}`;
  return op === "attention" || op === "swiglu" ? op : nameInLayer(outputs.y);
}

/** The same for the backward, where a sum is named by the gradient that it makes. */
function placeBackOf({ op, gradients, gives, weight }: BackwardRow): string {
  switch (op) {
    case "linear.backward":
      return weight!;
    case "rope.backward":
      return `rope of ${gradients.dy}`;
    case "rmsnorm.backward":
      return nameInLayer(blockGradients[gradients.dy].like);
    case "attention.backward":
    case "swiglu.backward":
      return op.slice(0, op.indexOf("."));
    default: {
      const { like } = blockGradients[Object.values(gives)[0]];
      return like === "x" ? "gradient of its input" : `gradient of ${nameInLayer(like)}`;
    }
  }
}
