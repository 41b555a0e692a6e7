// What `touchstone inspect` does.
import { type Checkpoint, type ListedWeight, openCheckpoint } from "../formats/checkpoint.ts";
import { countParameters } from "../reference/weights.ts";
import { say, sayJson } from "./output.ts";
import { openProgress } from "./progress.ts";
import { type Column, tableOf } from "./table.ts";
import { largest } from "../reference/lists.ts";

export interface InspectOptions {
  readonly norms?: boolean;
  readonly json?: boolean;
}

/** Bytes of weights that are read without being asked for. */
const QUICKLY_READ = 2e9;

interface Norms {
  /** Root of the mean square, of the finite numbers. */
  readonly rms: number;
  /** The largest magnitude of them. */
  readonly max: number;
  /** NaNs and infinities. */
  readonly nonFinite: number;
}

/** Prints what the checkpoint at a path holds. Throws FormatError. */
export async function inspect(path: string, { norms, json = false }: InspectOptions): Promise<void> {
  const opened = await openCheckpoint(path);
  try {
    const bytes = opened.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
    const wanted = norms ?? bytes <= QUICKLY_READ;
    const found = wanted ? allNorms(opened) : undefined;
    if (json) sayJson(figures(opened, bytes, found));
    else say(lines(opened, bytes, found));
  } finally {
    opened.close();
  }
}

/** Weight by weight: the largest is the most that is in memory. */
function allNorms({ tensors, readWeight }: Checkpoint): Map<string, Norms> {
  const progress = openProgress(tensors.length);
  try {
    const found = new Map<string, Norms>();
    for (const [i, { name }] of tensors.entries()) {
      progress.begin(name);
      progress.advance(i, 0);
      found.set(name, normsOf(readWeight(name).data));
    }
    return found;
  } finally {
    progress.close();
  }
}

function normsOf(data: Float32Array): Norms {
  let squares = 0;
  let max = 0;
  let nonFinite = 0;
  for (const w of data) {
    const magnitude = Math.abs(w);
    if (!(magnitude < Infinity)) nonFinite++;
    else {
      squares += w * w;
      if (magnitude > max) max = magnitude;
    }
  }
  return { rms: Math.sqrt(squares / (data.length - nonFinite)), max, nonFinite };
}

const columns: readonly Column[] = [
  ["weight", "left"],
  ["in the file", "left"],
  ["shape", "right"],
  ["dtype", "left"],
];
const normColumns: readonly Column[] = [
  ["rms", "right"],
  ["max |w|", "right"],
  ["", "left"],
];

function lines(
  { path, format, config, dtypes, tensors, ignored }: Checkpoint,
  bytes: number,
  norms?: Map<string, Norms>,
): string[] {
  const facts: [string, string][] = [
    ["format", format],
    ["parameters", countParameters(config).toLocaleString("en")],
    ["weights", `${tensors.length}, ${inUnits(bytes)}, ${dtypes.join(", ")}`],
    ...Object.entries(config).map(([name, value]): [string, string] => [name, String(value)]),
  ];
  const width = largest(facts.map(([name]) => name.length));
  const table = tableOf(
    norms === undefined ? columns : [...columns, ...normColumns],
    tensors.map((tensor) => [...described(tensor), ...shown(norms?.get(tensor.name))]),
  );
  const rest = [
    ...(ignored.length > 0
      ? [`ignored: ${ignored.slice(0, 3).join(", ")}${ignored.length > 3 ? ` and ${ignored.length - 3} more` : ""}`]
      : []),
    ...(norms === undefined ? [`norms are not shown: --norms reads all ${inUnits(bytes)} for them`] : []),
  ];
  return [path, ...facts.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`), ...table, ...rest];
}

function described({ name, fileName, shape, dtype }: ListedWeight): string[] {
  return [name, fileName === name ? "" : fileName, `[${shape}]`, dtype];
}

function shown(norms: Norms | undefined): string[] {
  if (norms === undefined) return [];
  const { rms, max, nonFinite } = norms;
  return [inDigits(rms), inDigits(max), nonFinite === 0 ? "" : `${nonFinite} not finite`];
}

function figures(
  { path, format, config, dtypes, tensors, ignored }: Checkpoint,
  bytes: number,
  norms?: Map<string, Norms>,
): unknown {
  const weights = tensors.map((tensor) => Object.assign({}, tensor, norms?.get(tensor.name)));
  return { path, format, config, parameters: countParameters(config), bytes, dtypes, weights, ignored };
}

function inDigits(x: number): string {
  return x === 0 || (x >= 1e-4 && x < 1e6) ? String(Number(x.toPrecision(4))) : x.toExponential(3);
}

function inUnits(bytes: number): string {
  for (const [unit, size] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`;
  }
  return `${bytes} bytes`;
}
