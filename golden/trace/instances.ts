// One recorded step as a list of op instances in the order of execution: which op, where in the model, which recorded
// tensors it took and gave. The names are those of a full trace.
import type { Inputs } from "../../reference/operation.ts";
import { type Floats, type Ints, roundScalar, sizeOf, type Tensor, view, zeros } from "../../reference/tensor.ts";
import { adamwScalars } from "../../reference/training/schedule.ts";
import { weightShapes } from "../../reference/weights.ts";
import type { Instance, Recorded, TraceShape } from "./instance.ts";
import { backwardInstances } from "./instances-backward.ts";
import { forwardInstances } from "./instances-forward.ts";

export type { Instance, Recorded, TraceShape };

/**
 * The instances of step `step`, counted from 0. Activations are recorded of step 0 only, so a later step has the gradient
 * norm, clipping and AdamW; without hyperparameters there is only the norm.
 */
export function instancesOf(shape: TraceShape, step = 0): Instance[] {
  const passes = step === 0 ? [...forwardInstances(shape), ...backwardInstances(shape)] : [];
  return [...passes, ...optimizerInstances(shape, step)];
}

/** The recorded inputs of an instance under the op's argument names and shapes; `read` gives a tensor of the trace. */
export function inputsOf(instance: Instance, read: (name: string) => Tensor<Floats | Ints>): Inputs {
  const get = ({ name, shape }: Recorded): Tensor<Floats | Ints> => view(read(name), shape);
  return Object.fromEntries(
    Object.entries(instance.inputs).map(([argument, recorded]) => [
      argument,
      "name" in recorded ? get(recorded) : endToEnd(recorded.map((one) => get(one) as Tensor)),
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

/** The global norm, then clipping and AdamW weight by weight. */
function optimizerInstances({ config, hyperparameters, like }: TraceShape, step: number): Instance[] {
  const at = `steps.${step}`;
  const shapes = [...weightShapes(config)].map(([name, shape]) => ({ name, shape, N: [sizeOf(shape)] }));
  const norm = { name: `${at}.gradientNorm`, shape: [] };
  const gradients = shapes.map(({ name, N }) => ({ name: `${at}.gradients.${name}`, shape: N }));
  const list: Instance[] = [
    { op: "gradient-norm.forward", where: "gradients", inputs: { g: gradients }, scalars: {}, outputs: { norm } },
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
      inputs: { g: { name: `${at}.gradients.${name}`, shape: N }, norm },
      scalars: { maxNorm: roundScalar(hyperparameters.maxGradientNorm, like) },
      outputs: { g },
    });
    list.push({
      op: "adamw.forward",
      where: name,
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
