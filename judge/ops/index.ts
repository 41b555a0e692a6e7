// Every op's cases; one line a row.
import type { CaseSpec } from "../case.ts";
import * as adamw from "./adamw.ts";
import * as cast from "./cast.ts";
import * as clip from "./clip.ts";
import * as gradientNorm from "./gradient-norm.ts";
import * as attention from "./attention.ts";
import * as ropeTable from "./rope-table.ts";
import * as rope from "./rope.ts";
import * as add from "./add.ts";
import * as crossEntropy from "./cross-entropy.ts";
import * as embedding from "./embedding.ts";
import * as linear from "./linear.ts";
import * as rmsnorm from "./rmsnorm.ts";
import * as swiglu from "./swiglu.ts";

const specs: readonly CaseSpec[] = [
  rmsnorm.forward,
  rmsnorm.backward,
  embedding.forward,
  embedding.backward,
  add.forward,
  cast.forward,
  linear.forward,
  linear.backward,
  ropeTable.forward,
  rope.forward,
  rope.backward,
  attention.forward,
  attention.backward,
  swiglu.forward,
  swiglu.backward,
  crossEntropy.forward,
  crossEntropy.backward,
  gradientNorm.forward,
  clip.forward,
  adamw.forward,
];

export const cases: ReadonlyMap<string, CaseSpec> = new Map(specs.map((spec) => [spec.op, spec]));
