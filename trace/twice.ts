// A recording may hold one quantity under two names: then both must have one value, since only one of them is judged.
import { type DTypeName, dtypes, round } from "../reference/dtype.ts";
import type { Hyperparameters } from "../reference/training/hyperparameters.ts";
import { learningRateAt } from "../reference/training/schedule.ts";
import { FormatError, quote } from "../formats/error.ts";
import type { SafetensorsFile } from "../formats/safetensors.ts";
import { traceTensor } from "./names.ts";

/** Numbers as one of the two names has them. */
interface Said {
  /** Such as 'tensor "losses" at [0]'. */
  readonly where: string;
  readonly dtype: DTypeName;
  readonly data: ArrayLike<number>;
}

/** What a recording says of itself. */
export interface Steps {
  readonly steps: number;
  readonly microBatches: number;
  readonly hyperparameters?: Hyperparameters;
}

const perStep = ["losses", "gradientNorms", "learningRates"];
const states: ReadonlySet<string> = new Set(["weights", "firstMoment", "secondMoment"]);

/**
 * Throws FormatError, naming both places, where a recording contradicts itself: two names for one quantity with two values, a
 * list of another length than there are steps, a tensor of a step that is not there.
 */
export function checkTwice(file: SafetensorsFile, said: Steps): void {
  checkSteps(file, said.steps);
  for (const name of file.names) {
    for (const other of othersOf(file, name, said)) checkSame(file, one(file, name), other);
  }
  checkRates(file, said);
}

function checkSteps({ path, names, tensors }: SafetensorsFile, steps: number): void {
  for (const name of perStep) {
    const shape = tensors.get(name)?.shape;
    if (shape !== undefined && shape.join() !== String(steps)) {
      throw new FormatError(path, `tensor "${name}" has shape [${shape}], expected [${steps}] as "tokens" has steps`);
    }
  }
  for (const name of names) {
    const { step } = traceTensor(name);
    if (step === undefined || (step >= 0 && step < steps)) continue;
    throw new FormatError(
      path,
      `tensor ${quote(name)} is of no step, expected one below ${steps} as "tokens" has steps`,
    );
  }
}

/** What else in the file is the quantity of that name. */
function othersOf(file: SafetensorsFile, name: string, { steps, microBatches }: Steps): Said[] {
  const { step, microBatch, kind, path } = traceTensor(name);
  const isIds = path.length === 0 && (kind === "tokens" || kind === "targets");
  const others: (Said | undefined)[] = [];
  if (isIds && step !== undefined) others.push(partOf(file, kind, step, steps));
  if (isIds && microBatch !== undefined) others.push(partOf(file, kind, microBatch, steps * microBatches));
  if (name === "activations.loss") others.push(partOf(file, "losses", 0, steps));
  if (kind === "gradientNorm" && step !== undefined) others.push(partOf(file, "gradientNorms", step, steps));
  if (states.has(kind) && step !== undefined) {
    const rest = path.join(".");
    if (step === 0) others.push(whole(file, `firstStep.${kind}.${rest}`));
    if (step === steps - 1) others.push(whole(file, kind === "weights" ? `final.${rest}` : `${kind}.${rest}`));
  }
  if (steps === 1 && kind === "firstStep") {
    const [state, ...rest] = path;
    others.push(whole(file, `${state === "weights" ? "final" : state}.${rest.join(".")}`));
  }
  return others.filter((other) => other !== undefined);
}

const storages: Readonly<Record<string, DTypeName>> = { F64: "float64", BF16: "bfloat16", F16: "float16" };

function one(file: SafetensorsFile, name: string): Said {
  const { dtype } = file.tensors.get(name)!;
  return { where: `tensor ${quote(name)}`, dtype: storages[dtype] ?? "float32", data: file.read(name).data };
}

function whole(file: SafetensorsFile, name: string): Said | undefined {
  return file.tensors.has(name) ? one(file, name) : undefined;
}

/** One of `parts` equal parts of a tensor; those of the micro-batches are the first ones, of step 0. */
function partOf(file: SafetensorsFile, name: string, part: number, parts: number): Said | undefined {
  const found = whole(file, name);
  if (found === undefined) return undefined;
  const data = Array.from(found.data);
  const length = data.length / parts;
  const where = parts === 1 ? found.where : `${found.where}, part ${part} of ${parts}`;
  return { ...found, where, data: data.slice(part * length, (part + 1) * length) };
}

function checkSame({ path }: SafetensorsFile, a: Said, b: Said): void {
  const narrower = dtypes[a.dtype].u > dtypes[b.dtype].u ? dtypes[a.dtype] : dtypes[b.dtype];
  const stored = (x: number): number => (narrower.name === "float64" ? x : round(x, narrower));
  if (a.data.length !== b.data.length) {
    throw new FormatError(path, `${a.where} has ${a.data.length} numbers, expected ${b.data.length} as in ${b.where}`);
  }
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [stored(a.data[i]), stored(b.data[i])];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const at = a.data.length === 1 ? "" : ` at ${i}`;
    throw new FormatError(path, `${a.where} is ${a.data[i]}${at}, expected ${b.data[i]} as in ${b.where}`);
  }
}

/** The learning rates, which follow from the hyperparameters, as float32 has them. */
function checkRates(file: SafetensorsFile, { steps, hyperparameters }: Steps): void {
  const found = whole(file, "learningRates");
  if (found === undefined || hyperparameters === undefined) return;
  const data = Array.from({ length: steps }, (_, step) => learningRateAt(hyperparameters, step + 1));
  checkSame(file, found, { where: 'metadata "config"', dtype: "float32", data });
}
