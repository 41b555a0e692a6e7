// One recorded step as a list of op instances in the order of execution: the op, its place in the model, and its recorded
// inputs and outputs. The names are those of a full trace.
import type { Inputs } from "../reference/operation.ts";
import { IGNORE_INDEX } from "../reference/ops/cross-entropy.ts";
import { type Floats, type Ints, roundScalar, sizeOf, type Tensor, view, zeros } from "../reference/tensor.ts";
import { adamwScalars } from "../reference/training/schedule.ts";
import { weightShapes } from "../reference/weights.ts";
import { flat, type Instance, micro, type Recorded, recorded, type TraceShape } from "./instance.ts";
import { backwardInstances, forwardInstances } from "./pass.ts";

export type { Instance, Recorded, TraceShape };

/**
 * The instances of step `step`, counted from 0. Activations are recorded only for step 0, so a later step has only the
 * gradient norm, clipping and AdamW; without hyperparameters there is only the norm.
 */
export function instancesOf(shape: TraceShape, step = 0): Instance[] {
  const passes = step === 0 ? [...(shape.mixed ? castInstances(shape) : []), ...passInstances(shape)] : [];
  const unscalings = step === 0 ? unscaleInstances(shape) : [];
  return [...passes, ...unscalings, ...optimizerInstances(shape, step)];
}

/** The weights as the passes read them. */
function castInstances({ config }: TraceShape): Instance[] {
  return [...weightShapes(config)].map(([name, shape]) => ({
    op: "cast.forward",
    where: `cast of ${name}`,
    stage: "cast",
    inputs: { x: flat(recorded(`weights.${name}`, ...shape)) },
    scalars: {},
    outputs: { y: flat(recorded(`castWeights.${name}`, ...shape)) },
  }));
}

/** Both passes; for several micro-batches one after another, each followed by the sums of the gradients so far. */
function passInstances(shape: TraceShape): Instance[] {
  const { microBatches = 1 } = shape;
  if (microBatches === 1) return [...forwardInstances(shape), ...backwardInstances(shape)];
  const part = { ...shape, B: shape.B / microBatches };
  const all = recorded("steps.0.targets", shape.B * shape.T);
  const parts = Array.from({ length: microBatches }, (_, i) => ({
    own: recorded(`${micro(i)}targets`, part.B * part.T),
    share: `${micro(i)}activationGradients.loss`,
    loss: `${micro(i)}activations.loss`,
  }));
  const list: Instance[] = [];
  for (const [i, { own, share }] of parts.entries()) {
    const passes: Instance[] = [
      {
        op: "share.forward",
        where: "share of the targets",
        stage: "pass",
        inputs: { own, all },
        scalars: { ignoreIndex: IGNORE_INDEX },
        outputs: { share: recorded(share) },
      },
      ...forwardInstances(part, micro(i)),
      ...backwardInstances(part, micro(i)),
      ...(i > 0 ? accumulationInstances(shape, i) : []),
    ];
    for (const instance of passes) list.push({ ...instance, where: `micro-batch ${i}, ${instance.where}` });
  }
  const losses = parts.map(({ loss }) => recorded(loss, 1));
  const shares = parts.map(({ share }) => recorded(share, 1));
  list.push({
    op: "mean-loss.forward",
    where: "loss of the batch",
    stage: "pass",
    inputs: { losses, shares },
    scalars: {},
    outputs: { loss: recorded("activations.loss") },
  });
  return list;
}

/** The gradients of micro-batch i > 0 added to the sum of those before it; after the last they are the batch's. */
function accumulationInstances({ config, microBatches = 1 }: TraceShape, i: number): Instance[] {
  return [...weightShapes(config)].map(([name, shape]) => {
    const sum = (upTo: number): Recorded => {
      if (upTo === microBatches - 1) return recorded(`gradients.${name}`, ...shape);
      return recorded(`${micro(upTo)}${upTo === 0 ? "gradients" : "accumulated"}.${name}`, ...shape);
    };
    return {
      op: "add.forward",
      where: `sum of the gradients of ${name}`,
      stage: "accumulation",
      inputs: { a: flat(sum(i - 1)), b: flat(recorded(`${micro(i)}gradients.${name}`, ...shape)) },
      scalars: {},
      outputs: { y: flat(sum(i)) },
    };
  });
}

/** The recorded inputs of an instance under the op's argument names and shapes; `read` gives a tensor of the trace. */
export function inputsOf(instance: Instance, read: (name: string) => Tensor<Floats | Ints>): Inputs {
  const get = ({ name, shape }: Recorded): Tensor<Floats | Ints> => view(read(name), shape);
  return Object.fromEntries(
    Object.entries(instance.inputs).map(([argument, given]) => [
      argument,
      "name" in given ? get(given) : endToEnd(given.map((one) => get(one) as Tensor)),
    ]),
  );
}

function endToEnd(tensors: readonly Tensor[]): Tensor {
  const N = tensors.reduce((sum, t) => sum + t.data.length, 0);
  const all = zeros(tensors[0], [N]);
  let at = 0;
  for (const { data } of tensors) {
    all.data.set(data, at);
    at += data.length;
  }
  return all;
}

/**
 * The gradients of the passes divided by the scale of the loss, which is the gradient at it: 1, or a number that keeps small
 * gradients inside the range of float16 (Micikevicius et al. 2018).
 */
function unscaleInstances({ config }: TraceShape): Instance[] {
  return [...weightShapes(config)].map(([name, shape]) => ({
    op: "unscale.forward",
    where: `unscaling of ${name}`,
    stage: "norm",
    ifRecorded: true,
    inputs: { g: flat(recorded(`gradients.${name}`, ...shape)), scale: recorded("activationGradients.loss") },
    scalars: {},
    outputs: { y: flat(recorded(`steps.0.gradients.${name}`, ...shape)) },
  }));
}

/** The global norm, then clipping and AdamW weight by weight. */
function optimizerInstances({ config, hyperparameters, like }: TraceShape, step: number): Instance[] {
  const at = `steps.${step}`;
  const shapes = [...weightShapes(config)].map(([name, shape]) => ({ name, shape, N: [sizeOf(shape)] }));
  const norm = { name: `${at}.gradientNorm`, shape: [] };
  const gradients = shapes.map(({ name, N }) => ({ name: `${at}.gradients.${name}`, shape: N }));
  const list: Instance[] = [
    {
      op: "gradient-norm.forward",
      where: "gradients",
      stage: "norm",
      inputs: { g: gradients },
      scalars: {},
      outputs: { norm },
    },
  ];
  if (hyperparameters === undefined) return list;
  const before = (what: string, name: string): string => {
    if (step > 0) return `steps.${step - 1}.${what}.${name}`;
    return what === "weights" ? `weights.${name}` : `initial.${what}.${name}`;
  };
  for (const { name, shape, N } of shapes) {
    const g = { name: `${at}.clipped.${name}`, shape: N };
    list.push({
      op: "clip.forward",
      where: name,
      stage: "update",
      inputs: { g: { name: `${at}.gradients.${name}`, shape: N }, norm },
      scalars: { maxNorm: roundScalar(hyperparameters.maxGradientNorm, like) },
      outputs: { g },
    });
    list.push({
      op: "adamw.forward",
      where: name,
      stage: "update",
      inputs: {
        w: { name: before("weights", name), shape: N },
        g,
        m: { name: before("firstMoment", name), shape: N },
        v: { name: before("secondMoment", name), shape: N },
      },
      scalars: { ...adamwScalars(hyperparameters, step + 1, zeros(like, shape)) },
      outputs: {
        w: { name: `${at}.weights.${name}`, shape: N },
        m: { name: `${at}.firstMoment.${name}`, shape: N },
        v: { name: `${at}.secondMoment.${name}`, shape: N },
      },
    });
  }
  return list;
}
